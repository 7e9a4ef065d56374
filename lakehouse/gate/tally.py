"""Counting: from annotated rows to the numbers of each batch, with one small aggregate."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from pyspark.sql import Column, DataFrame

from lakehouse.gate.marks import FAILED, SKIPPED

CONTEXT = ("asset_pair", "timeframe", "provider")
BATCH = "gate_batch"


@dataclass(slots=True)
class Tally:
    """Counts of one batch. `marks`: rows by their (failed, skipped) masks, repeats left out."""

    marks: Counter[tuple[int, int]] = field(default_factory=Counter)
    context: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    arrived: int = 0

    @property
    def rows(self) -> int:
        return self.marks.total()

    def failed(self, bits: int) -> int:
        """Rows that break any of those checks."""
        return sum(count for (failed, _), count in self.marks.items() if failed & bits)

    def skipped(self, bit: int) -> int:
        """Rows that check says nothing about."""
        return sum(count for (_, skipped), count in self.marks.items() if skipped & bit)

    def only(self, name: str) -> str | None:
        """The one value all rows have in that column of the context, if it is one."""
        values = self.context[name]
        return next(iter(values)) if len(values) == 1 else None


def counted(rows: DataFrame, batch: Column) -> dict[str, Tally]:
    """Batch by batch, what its rows are marked with."""
    context = [name for name in CONTEXT if name in rows.columns]
    marks = rows.select(batch.alias(BATCH), *context, FAILED, SKIPPED)
    tallies: dict[str, Tally] = defaultdict(Tally)
    for row in marks.groupBy(BATCH, *context, FAILED, SKIPPED).count().collect():
        tally = tallies[row[BATCH]]
        tally.arrived += row["count"]
        tally.marks[row[FAILED], row[SKIPPED]] += row["count"]
        for name in context:
            if row[name] is not None:
                tally.context[name].add(row[name])
    return dict(tallies)


def exchange(tallies: dict[str, Tally], old: dict[str, Tally], new: dict[str, Tally]) -> None:
    """Count `new` rows in the place of `old` ones; how many arrived stays as it is."""
    for batch_id, tally in old.items():
        tallies[batch_id].marks.subtract(tally.marks)
        tallies[batch_id].marks.update(new[batch_id].marks)
