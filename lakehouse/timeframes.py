"""Timeframes: the lengths a candle can have, and arithmetic on their grid.

A candle's `timestamp` is its opening time in UTC and lies on the timeframe's grid, counted from
the Unix epoch. Ranges are half-open: `start <= timestamp < end`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from lakehouse.errors import UnknownTimeframe

TIMEFRAMES: dict[str, timedelta] = {
    "1m": timedelta(minutes=1),
    "5m": timedelta(minutes=5),
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "4h": timedelta(hours=4),
    "1d": timedelta(days=1),
}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def step(timeframe: str) -> timedelta:
    """Length of a candle. Raises UnknownTimeframe."""
    try:
        return TIMEFRAMES[timeframe]
    except KeyError:
        known = ", ".join(TIMEFRAMES)
        raise UnknownTimeframe(timeframe=timeframe, known=known) from None


def floor(moment: datetime, length: timedelta) -> datetime:
    """The last grid point of `length` at or before `moment`."""
    return EPOCH + (moment - EPOCH) // length * length


def ceil(moment: datetime, length: timedelta) -> datetime:
    """The first grid point of `length` at or after `moment`."""
    return EPOCH - (EPOCH - moment) // length * length


def expected_candles(timeframe: str, start: datetime, end: datetime) -> int:
    """How many candles of `timeframe` open in [start, end)."""
    length = step(timeframe)
    return max(0, (ceil(end, length) - ceil(start, length)) // length)
