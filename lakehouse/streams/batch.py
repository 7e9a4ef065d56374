"""A micro-batch: its rows in Spark, and what must be known of each of them to decide about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse import ops
from lakehouse.dead_letters.writing import BETWEEN, write_dead_letters
from lakehouse.gate.marks import REASONS
from lakehouse.gate.verdicts import BatchVerdict, Judgement
from lakehouse.settings import Settings
from lakehouse.tables import Table

POSITION = ["partition", "offset"]


@dataclass
class Counts:
    """What became of the messages of a micro-batch; columns of ops.stream_batches."""

    rows_in: int = 0
    rows_out: int = 0
    rows_rejected: int = 0
    rows_duplicate: int = 0
    rows_late: int = 0
    rows_outlier: int = 0
    rejected_for: Counter[str] = field(default_factory=Counter)


@dataclass
class MicroBatch:
    """`rows` are messages.gated with `batch_id`, kept by Spark. `seen` has of each of them the
    identity of its table, POSITION, `received_at`, and in `reasons` why it was refused, else ""."""

    settings: Settings
    run_id: str
    number: int
    rows: DataFrame
    seen: pl.DataFrame
    started_at: datetime = field(default_factory=ops.now)
    counts: Counts = field(default_factory=Counts)

    @property
    def batch_id(self) -> str:
        return f"{self.run_id}-{self.number}"

    @classmethod
    def of(
        cls, settings: Settings, run_id: str, number: int, batch: DataFrame, identity: Sequence[str]
    ) -> MicroBatch:
        """Read the messages, once; who is done with them says `rows.unpersist()`."""
        rows = batch.withColumn("batch_id", F.lit(f"{run_id}-{number}")).persist()
        reasons = _marks(rows)
        names = [*identity, *POSITION, "received_at"]
        found = rows.select(*names, *(_text(name).alias(name) for name in reasons)).toArrow()
        seen = pl.DataFrame(pl.from_arrow(found)).sort(POSITION)
        return cls(settings, run_id, number, rows, seen, counts=Counts(rows_in=len(seen)))

    def refuse(self, table: Table, reasons: str = REASONS) -> pl.DataFrame:
        """Write dead letters for the rows that have such reasons; those that have none."""
        is_bad = pl.col(reasons) != ""
        bad = self.seen.filter(is_bad)
        if len(bad):
            self.counts.rows_rejected += len(bad)
            self.counts.rejected_for.update(bad[reasons].to_list())
            verdict = self._verdict(table, len(bad))
            rows = self.rows.where(F.size(reasons) > 0).withColumn(REASONS, F.col(reasons))
            letters = rows.drop(*(name for name in _marks(rows) if name != REASONS))
            write_dead_letters(Judgement([verdict], letters), self.settings)
        return self.seen.filter(~is_bad)

    def _verdict(self, table: Table, rejected: int) -> BatchVerdict:
        return BatchVerdict(
            table=table.full_name,
            batch_id=self.batch_id,
            asset_pair=None,
            timeframe=None,
            provider=None,
            rows=len(self.seen),
            rejected=rejected,
            repeats=0,
            # A stream goes on, whatever comes: there is no batch to hold back.
            tolerance=1.0,
            quarantine_from_rows=rejected + 1,
            findings=(),
        )

    def chosen(self, fresh: pl.DataFrame) -> DataFrame:
        """The rows that stand where those of `fresh` do."""
        others = self.seen.join(fresh, on=POSITION, how="anti")
        if others.is_empty():
            return self.rows
        # The shorter list is the one to send.
        is_few = len(others) < len(fresh)
        places = self._in_spark((others if is_few else fresh).select(POSITION))
        how = "left_anti" if is_few else "left_semi"
        return self.rows.join(F.broadcast(places), on=POSITION, how=how)

    def beside(self, rows: DataFrame, facts: pl.DataFrame, on: str) -> DataFrame:
        """The rows with the columns of a few facts beside them."""
        return rows.join(F.broadcast(self._in_spark(facts)), on=on, how="left")

    def _in_spark(self, frame: pl.DataFrame) -> DataFrame:
        return self.rows.sparkSession.createDataFrame(frame.to_arrow())

    def append(self, rows: DataFrame, table: Table) -> None:
        """Append the rows to the table, unless this batch already did."""
        columns = [F.col(column.name).cast(column.type) for column in table.columns]
        writer = rows.select(*columns).write.format("delta").mode("append")
        writer = writer.option("txnAppId", self.run_id).option("txnVersion", self.number)
        writer.save(str(table.path(self.settings.lake)))


def _text(reasons: str) -> Column:
    return F.concat_ws(BETWEEN, F.col(reasons))


def _marks(rows: DataFrame) -> list[str]:
    return [name for name in rows.columns if name.endswith(REASONS)]
