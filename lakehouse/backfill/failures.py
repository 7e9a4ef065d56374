"""Failures of providers as small facts, for a landing file to carry and the gap ledger to keep."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from lakehouse.backfill.progress import Interval
from lakehouse.errors import AllSourcesFailed, SourceError
from lakehouse.gaps import DELISTED, NOT_FETCHED, OUTAGE, Window

# What the source is to blame for; whatever else went wrong, it was not really asked.
OUTAGES = ("SourceUnavailable", "RateLimited", "BadAnswer", "CircuitOpen")
NO_HISTORY = "NoHistory"


@dataclass(frozen=True, slots=True)
class Failure:
    """What a provider that was asked in vain said. `first` is the first candle it still has, where
    it named that."""

    provider: str
    error: str
    text: str
    first: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"first": self.first.isoformat() if self.first else None}

    @classmethod
    def from_json(cls, facts: dict[str, Any]) -> Failure:
        first = datetime.fromisoformat(facts["first"]) if facts["first"] else None
        return cls(**facts | {"first": first})

    def windows(
        self, asset_pair: str, timeframe: str, windows: Iterable[Interval], *, was_chosen: bool
    ) -> Iterator[Window]:
        """What the ledger learns of the windows. Whoever was asked only because another one failed,
        and refused, teaches it nothing."""
        series = asset_pair, timeframe, self.provider
        gap_class = OUTAGE if self.error in OUTAGES else NOT_FETCHED
        for start, end in windows:
            kept_from = min(max(start, self.first), end) if self.first else start
            if start < kept_from:
                yield Window(series, start, kept_from, DELISTED, False, self.text)
            if kept_from < end and (was_chosen or gap_class == OUTAGE):
                yield Window(series, kept_from, end, gap_class, False, self.text)


def failures_of(errors: Sequence[SourceError], provider: str) -> list[Failure]:
    """The failures that these errors tell of; `provider` is who was asked if one does not say."""
    found: list[Failure] = []
    for error in errors:
        if isinstance(error, AllSourcesFailed):
            found += failures_of(error.failures, provider)
        else:
            first = error.facts.get("first") if type(error).__name__ == NO_HISTORY else None
            said_by = error.facts.get("provider", provider)
            found.append(Failure(said_by, type(error).__name__, str(error), first))
    return found
