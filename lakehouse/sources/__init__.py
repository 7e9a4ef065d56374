"""Sources of candles: one interface to every provider, with retries, breakers and fallback."""

from lakehouse.sources.breaker import BreakerState, CircuitBreaker
from lakehouse.sources.candles import CandleRequest, Fetched, RawCandle
from lakehouse.sources.fetching import (
    SIMULATED,
    Sources,
    asking_order,
    has_timeframe,
    is_set_up,
)

__all__ = [
    "SIMULATED",
    "BreakerState",
    "CandleRequest",
    "CircuitBreaker",
    "Fetched",
    "RawCandle",
    "Sources",
    "asking_order",
    "has_timeframe",
    "is_set_up",
]
