"""What the lakehouse must hold after any history, kept in plain dictionaries.

Time is counted in hours of one asset's hourly candles. The model knows nothing of Delta, batches
or commits: it is what a person would write on paper.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby

DELISTED_AFTER = 24
QUARANTINE_FROM, TOLERANCE = 3, 0.10
Candles = dict[int, float]  # hour -> close


@dataclass
class Model:
    """`closes` is bronze: every close an hour ever had, oldest first. `absent` is what is known of
    the hours asked for that have none."""

    closes: dict[int, list[float]] = field(default_factory=dict)
    absent: dict[int, str] = field(default_factory=dict)
    horizon: range = range(0)
    silver: Candles = field(default_factory=dict)
    releases: dict[str, Candles] = field(default_factory=dict)

    @property
    def bronze(self) -> Candles:
        """The present close of each hour."""
        return {hour: closes[-1] for hour, closes in self.closes.items()}

    def land(self, asked: range, sent: Candles, is_down: bool) -> None:
        """The source was asked for those hours; a negative close is a broken row."""
        known = self.horizon or asked
        self.horizon = range(min(known.start, asked.start), max(known.stop, asked.stop))
        broken = [hour for hour in asked if sent.get(hour, 0) < 0]
        rows = sum(hour in sent for hour in asked)
        is_quarantined = len(broken) >= QUARANTINE_FROM and len(broken) > TOLERANCE * rows
        for hour in asked:
            if is_down:
                self._not_answered(hour)
            else:
                self._answered(hour, sent.get(hour), is_quarantined)

    def _not_answered(self, hour: int) -> None:
        if hour not in self.closes and hour not in self.absent:
            self.absent[hour] = "outage"

    def _answered(self, hour: int, close: float | None, is_quarantined: bool) -> None:
        if close is not None and close > 0 and not is_quarantined:
            closes = self.closes.setdefault(hour, [])
            if close not in closes:
                closes.append(close)
            self.absent.pop(hour, None)
        elif hour not in self.closes:
            self.absent[hour] = "no_trade" if close is None else "rejected"

    def gaps(self) -> list[tuple[int, int, str]]:
        """(first hour, hour after the last, class), in the order of time."""
        classes = {hour: self._class(hour) for hour in self.horizon if hour not in self.closes}
        return list(self._runs(classes))

    def _runs(self, classes: dict[int, str]) -> Iterator[tuple[int, int, str]]:
        # An hour and its place among the absent ones differ by the same within a run.
        placed = enumerate(sorted(classes.items()))
        for (name, _), run in groupby(placed, lambda item: (item[1][1], item[1][0] - item[0])):
            hours = [hour for _, (hour, _) in run]
            yield hours[0], hours[-1] + 1, name

    def _class(self, hour: int) -> str:
        known = self.absent.get(hour, "not_fetched")
        is_long = len(self._edge(hour)) >= DELISTED_AFTER
        return "delisted" if known == "no_trade" and is_long else known

    def _edge(self, hour: int) -> range:
        """The answered, empty hours around this one that reach the horizon's end without a
        candle beyond; none elsewhere."""
        first = last = hour
        while self.absent.get(first - 1) == "no_trade":
            first -= 1
        while self.absent.get(last + 1) == "no_trade":
            last += 1
        is_at_start = first == self.horizon.start and not any(h < hour for h in self.closes)
        is_at_end = last + 1 == self.horizon.stop and not any(h > hour for h in self.closes)
        return range(first, last + 1) if is_at_start or is_at_end else range(0)
