"""Counting: from annotated rows to the numbers of each batch, with one small aggregate."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from lakehouse.gate.marks import FAILED, SKIPPED
from lakehouse.gate.repeats import KEY

CONTEXT = ("asset_pair", "timeframe", "provider")
BATCH = "gate_batch"


@dataclass(slots=True)
class Tally:
    """Counts of one batch. `marks`: rows by their (failed, skipped) masks, repeats left out."""

    marks: Counter[tuple[int, int]] = field(default_factory=Counter)
    context: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    arrived: int = 0
    suspects: int = 0

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


def keyed(annotated: DataFrame, batch: Column, key: Column) -> DataFrame:
    """One row per batch, context and key: how many rows have it, and their marks."""
    context = [name for name in CONTEXT if name in annotated.columns]
    rows = annotated.select(batch.alias(BATCH), *context, key.alias(KEY), FAILED, SKIPPED)
    return rows.groupBy(BATCH, *context, KEY).agg(
        F.count(F.lit(1)).alias("copies"),
        F.max(FAILED).alias(FAILED),
        F.max(SKIPPED).alias(SKIPPED),
    )


def tallied(by_key: DataFrame) -> dict[str, Tally]:
    """Batch by batch. Keys that came once are counted, those that came more often are suspects."""
    is_single = F.col("copies") == 1
    context = [name for name in CONTEXT if name in by_key.columns]
    counts = by_key.groupBy(BATCH, *context, FAILED, SKIPPED).agg(
        F.sum("copies").alias("arrived"),
        F.count(F.when(is_single, F.lit(1))).alias("single"),
    )
    tallies: dict[str, Tally] = defaultdict(Tally)
    for row in counts.collect():
        tally = tallies[row[BATCH]]
        _note(tally, row, row["single"])
        tally.arrived += row["arrived"]
        tally.suspects += row["arrived"] - row["single"]
    return dict(tallies)


def counted(annotated: DataFrame, batch: Column) -> dict[str, Tally]:
    """Batch by batch, where no row has to be compared with another."""
    tallies: dict[str, Tally] = defaultdict(Tally)
    add_settled(tallies, annotated, batch)
    for tally in tallies.values():
        tally.arrived = tally.rows
    return dict(tallies)


def add_settled(tallies: dict[str, Tally], settled: DataFrame, batch: Column) -> None:
    """Count the suspects as they were settled."""
    context = [name for name in CONTEXT if name in settled.columns]
    rows = settled.select(batch.alias(BATCH), *context, FAILED, SKIPPED)
    for row in rows.groupBy(BATCH, *context, FAILED, SKIPPED).count().collect():
        _note(tallies[row[BATCH]], row, row["count"])


def _note(tally: Tally, row: Row, count: int) -> None:
    if count:
        tally.marks[row[FAILED], row[SKIPPED]] += count
    for name in CONTEXT:
        if name in row and row[name] is not None:
            tally.context[name].add(row[name])
