"""Sources of candles: one interface to every provider, with retries, breakers and fallback."""

from lakehouse.sources.breaker import BreakerState, CircuitBreaker
from lakehouse.sources.candles import CandleRequest, Fetched, RawCandle
from lakehouse.sources.fetching import Sources

__all__ = [
    "BreakerState",
    "CandleRequest",
    "CircuitBreaker",
    "Fetched",
    "RawCandle",
    "Sources",
]
