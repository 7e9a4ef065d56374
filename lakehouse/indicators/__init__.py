"""Technical indicators: their definitions, their arithmetic, and the functions SQL calls."""

from typing import Any

from lakehouse.indicators import function, readings
from lakehouse.indicators.arithmetic import INDICATORS, LOOKBACK, SETTLED, technical_indicators

__all__ = ["INDICATORS", "LOOKBACK", "SETTLED", "register", "technical_indicators"]


def register(session: Any) -> None:
    """Make the functions known to the session's SQL."""
    function.register(session)
    readings.register(session)
