"""What a source is asked for and what it gives: candles, each with its row as it arrived."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from lakehouse.errors import SourceError
from lakehouse.timeframes import EPOCH


@dataclass(frozen=True, slots=True)
class CandleRequest:
    """Candles of `asset_pair` that open in [start, end), UTC."""

    asset_pair: str
    timeframe: str
    start: datetime
    end: datetime

    @property
    def subject(self) -> str:
        return f"{self.asset_pair} {self.timeframe}"


@dataclass(frozen=True, slots=True)
class RawCandle:
    """A candle as a source sent it; a field that does not parse is None.

    `raw` is the row as it arrived, as JSON text; `source` is the URL, without secrets.
    """

    timestamp: datetime | None
    open: float | None
    high: float | None
    low: float | None
    close: float | None
    volume: float | None
    raw: str
    source: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """The candles, who served them in how many calls, and what those asked in vain said."""

    candles: list[RawCandle]
    provider: str
    calls: int
    failures: list[SourceError] = field(default_factory=list)


def number(value: Any) -> float | None:
    """The figure in a text or number, None where there is none: null, `n/a`, `NaN`, `1_000`."""
    try:
        figure = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    if not math.isfinite(figure) or isinstance(value, bool):
        return None
    return None if isinstance(value, str) and "_" in value else figure


def moment(value: Any, unit: timedelta) -> datetime | None:
    """The time that lies `value` units after the epoch, None where `value` is no such count."""
    count = number(value)
    if count is None:
        return None
    try:
        # A whole count keeps its last digit; a double of microseconds would not.
        return EPOCH + (int(value) if float(count).is_integer() else count) * unit
    except (OverflowError, ValueError):
        return None
