"""Facts: what a landing, a file or a replay teaches the gap ledger."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from lakehouse.gaps.calendars import Ints
from lakehouse.gaps.reading import Series


@dataclass(frozen=True, slots=True)
class Window:
    """Candles that open in [start, end) were asked of a provider; `gap_class` is what those are
    that did not come.

    Where the provider answered that is `no_trade` or `rejected`, and replaces whatever was known of
    absent candles. Where it failed it is `outage`, `delisted` or `not_fetched`, in this order more
    telling: each replaces those after it, and none what an answer said.
    """

    series: Series
    start: datetime
    end: datetime
    gap_class: str
    is_answered: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Candles:
    """Candles of a batch that passed the gate, from the first to the last one.

    `traded` and `flat` are opening times in microseconds since the epoch; a flat candle has one
    price and no volume, which is a source's word for no trade. None: every expected candle from
    the first to the last is there and traded.
    """

    series: Series
    first: datetime
    last: datetime
    traded: Ints | None = None
    flat: Ints | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Rows that were refused for the same reasons: their times in microseconds, on no grid."""

    series: Series
    times: Ints
    detail: str


@dataclass(frozen=True, slots=True)
class Facts:
    """All of it. Among windows of the same class the last one's detail wins."""

    windows: list[Window] = field(default_factory=list)
    candles: list[Candles] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)

    def add(self, candles: Candles | None, refused: Iterable[Refused] = ()) -> None:
        """Take note of what a batch brought."""
        self.candles.extend([candles] if candles else [])
        self.refused.extend(refused)

    @property
    def series(self) -> list[Series]:
        """Those that learn something."""
        learning: list[Window | Candles] = [*self.windows, *self.candles]
        return sorted({fact.series for fact in learning})

    @property
    def learnt(self) -> Facts:
        """Without refused rows of series that learn nothing else: these say not what is known."""
        known = set(self.series)
        return replace(self, refused=[row for row in self.refused if row.series in known])
