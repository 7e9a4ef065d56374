"""The gap ledger once more, candle by candle and without a table: slow, and easy to believe.

Each expected candle has a state. A run of `empty` candles counts as no_trade or as delisted by
where it lies; a delisted run of which a part is so by the source's own word is so altogether.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby

from lakehouse.gaps import Candles, Facts, Refused, Window
from lakehouse.gaps.calendars import micros
from lakehouse.timeframes import EPOCH

RANK = {"not_fetched": 0, "outage": 1, "delisted": 2}
BY_ANSWER = ("empty", "rejected", "present")
Interval = tuple[datetime, datetime, str, int]


@dataclass
class SeriesModel:
    """One series. `openings` are all candles that can be expected, in order."""

    openings: Sequence[datetime]
    length: timedelta
    delisted_after: timedelta
    state: dict[datetime, str] = field(default_factory=dict)
    known_from: datetime | None = None
    known_to: datetime | None = None
    first: datetime | None = None
    last: datetime | None = None

    def take_in(self, facts: Facts) -> None:
        for window in facts.windows:
            self._reach(window.start, window.end)
        for candles in facts.candles:
            self._reach(candles.first, candles.last + self.length)
            self.first = min(self.first or candles.first, candles.first)
            self.last = max(self.last or candles.last, candles.last)
        for window in sorted(facts.windows, key=lambda window: window.is_answered):
            self._ask(window)
        for candles in facts.candles:
            self._set(self._times(candles.flat), "empty")
        for refused in facts.refused:
            self._set(
                {t - (t - EPOCH) % self.length for t in self._times(refused.times)}, "rejected"
            )
        for candles in facts.candles:
            self._set(self._arrived(candles), "present")
        for opening in self._within(self.known_from, self.known_to):
            self.state.setdefault(opening, "not_fetched")
        self._settle()

    def intervals(self) -> list[Interval]:
        """The gaps: from, to, class, candles."""
        classes = self._classes()
        runs = groupby(enumerate(self.openings), key=lambda pair: classes.get(pair[1], "present"))
        found = [(gap_class, [opening for _, opening in run]) for gap_class, run in runs]
        return [
            (run[0], run[-1] + self.length, gap_class, len(run))
            for gap_class, run in found
            if gap_class != "present"
        ]

    def _reach(self, start: datetime, end: datetime) -> None:
        self.known_from = min(self.known_from or start, start)
        self.known_to = max(self.known_to or end, end)

    def _within(self, start: datetime | None, end: datetime | None) -> list[datetime]:
        return [
            o for o in self.openings if start is not None and end is not None and start <= o < end
        ]

    def _times(self, times: object) -> set[datetime]:
        return set() if times is None else {EPOCH + timedelta(microseconds=int(t)) for t in times}

    def _arrived(self, candles: Candles) -> set[datetime]:
        if candles.traded is not None:
            return self._times(candles.traded)
        return {o for o in self.openings if candles.first <= o <= candles.last}

    def _ask(self, window: Window) -> None:
        for opening in self._within(window.start, window.end):
            was = self.state.get(opening)
            if window.is_answered:
                self._set({opening}, "empty" if window.gap_class == "no_trade" else "rejected")
            elif was is None or (was in RANK and RANK[was] <= RANK[window.gap_class]):
                self.state[opening] = window.gap_class

    def _set(self, openings: set[datetime], state: str) -> None:
        for opening in openings & set(self.openings):
            if self.state.get(opening) != "present":
                self.state[opening] = state

    def _classes(self) -> dict[datetime, str]:
        classes = {o: "no_trade" if s == "empty" else s for o, s in self.state.items()}
        runs = groupby(self.openings, key=lambda o: (self.state.get(o), self._is_beyond(o)))
        for (state, is_beyond), run in runs:
            quiet = list(run)
            if state == "empty" and is_beyond and len(quiet) * self.length >= self.delisted_after:
                classes |= dict.fromkeys(quiet, "delisted")
        return classes

    def _is_beyond(self, opening: datetime) -> bool:
        return self.first is None or self.last is None or not self.first <= opening <= self.last

    def _settle(self) -> None:
        classes = self._classes()
        for gap_class, run in groupby(self.openings, key=classes.get):
            delisted = list(run)
            if gap_class == "delisted" and any(self.state[o] == "delisted" for o in delisted):
                self.state |= dict.fromkeys(delisted, "delisted")


def times(*moments: datetime) -> list[int]:
    return [micros(moment) for moment in moments]


__all__ = ["Interval", "Refused", "SeriesModel", "times"]
