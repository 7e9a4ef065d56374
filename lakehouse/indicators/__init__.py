"""Technical indicators: their definitions, their arithmetic, and the function SQL calls."""

from lakehouse.indicators.arithmetic import INDICATORS, LOOKBACK, SETTLED, technical_indicators
from lakehouse.indicators.function import register

__all__ = ["INDICATORS", "LOOKBACK", "SETTLED", "register", "technical_indicators"]
