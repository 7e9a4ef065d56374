"""Landing a micro-batch: dead letters, bronze, silver, and a row that says what became of it.

Spark calls it with what it read of Kafka. Every step may be repeated, so a micro-batch that was
killed anywhere is simply taken again: letters bear the batch's number, bronze takes only what it
does not hold, and silver knows which commits of bronze are in it.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

import polars as pl
from deltalake import DeltaTable
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse import ops
from lakehouse.settings import Settings
from lakehouse.streams.aggregates import take_in
from lakehouse.streams.batch import POSITION, MicroBatch
from lakehouse.streams.known import unknown
from lakehouse.streams.messages import SILVER_REASONS
from lakehouse.streams.owner import Owner
from lakehouse.streams.recent import Recent, flagged
from lakehouse.streams.stream import Stream


@dataclass
class Landing:
    """Lands the micro-batches of one run of a stream."""

    settings: Settings
    stream: Stream
    run_id: str
    owner: Owner
    recent: Recent | None = None

    def __call__(self, messages: DataFrame, number: int) -> None:
        """Land rows of messages.gated. Whatever it raises, nothing is lost."""
        self.owner.demand()
        clock = time.monotonic()
        keys = self.stream.bronze.keys
        batch = MicroBatch.of(self.settings, self.run_id, number, messages, keys)
        try:
            with self.stream.lock(self.settings):
                if self.stream.name == "trades":
                    self._land_trades(batch)
                else:
                    self._land_prices(batch)
        finally:
            batch.rows.unpersist()
        ops.append(self.settings, "ops.stream_batches", [self._row(batch, clock)])

    def _fresh(self, batch: MicroBatch, good: pl.DataFrame) -> pl.DataFrame:
        table = self.stream.bronze
        fresh = unknown(good, table.path(self.settings.lake), table.keys)
        batch.counts.rows_out = len(fresh)
        batch.counts.rows_duplicate = len(good) - len(fresh)
        return fresh

    def _land_trades(self, batch: MicroBatch) -> None:
        fresh = self._fresh(batch, batch.refuse(self.stream.bronze))
        if len(fresh):
            recent = self._recent()
            limits = recent.limits(fresh)
            marked = flagged(fresh, limits)
            batch.counts.rows_late = int(marked["is_late"].sum())
            batch.counts.rows_outlier = int(marked["is_outlier"].sum())
            rows = batch.beside(batch.chosen(fresh), limits, on="symbol")
            batch.append(bronze_trades(rows), self.stream.bronze)
            recent.remember(marked.filter(~pl.col("is_late")))
        take_in(self.settings)

    def _recent(self) -> Recent:
        if self.recent is None:
            silver = DeltaTable(str(self.stream.silver.path(self.settings.lake)))
            self.recent = Recent.of(self.settings.streams, silver)
        return self.recent

    def _land_prices(self, batch: MicroBatch) -> None:
        bronze, silver = self.stream.bronze, self.stream.silver
        good = batch.refuse(bronze)
        fresh = self._fresh(batch, good)
        if len(fresh):
            batch.append(bronze_prices(batch.chosen(fresh)), bronze)
        believed = good.join(batch.refuse(silver, SILVER_REASONS), on=POSITION, how="semi")
        new = unknown(believed, silver.path(self.settings.lake), silver.keys)
        if len(new):
            batch.append(stg_prices(batch.chosen(new)), silver)

    def _row(self, batch: MicroBatch, clock: float) -> dict[str, object]:
        """Of ops.stream_batches."""
        counts = vars(batch.counts)
        ends = batch.seen.group_by("partition").agg(pl.col("offset").max() + 1)
        return {
            **counts,
            "stream": self.stream.name,
            "batch_id": batch.number,
            "run_id": self.run_id,
            "started_at": batch.started_at,
            "duration_seconds": time.monotonic() - clock,
            "rejected_for": json.dumps(counts["rejected_for"]),
            "offsets": json.dumps(dict(ends.sort("partition").iter_rows())),
            "newest_at": batch.seen["timestamp"].max(),
            "received_at": batch.seen["received_at"].max(),
            "recorded_at": ops.now(),
        }


def bronze_trades(rows: DataFrame) -> DataFrame:
    """Rows of messages.trades with recent.LIMITS in the shape of bronze.raw_trades."""
    is_far = (F.col("price") < F.col("lowest")) | (F.col("price") > F.col("highest"))
    is_late = F.col("timestamp") < F.col("late_before")
    return rows.withColumns(
        {
            "is_outlier": F.coalesce(is_far, F.lit(False)),
            "is_late": F.coalesce(is_late, F.lit(False)),
            "ingested_at": F.lit(ops.now()),
            "trade_year": F.year("timestamp"),
            "trade_month": F.month("timestamp"),
            "trade_day": F.day("timestamp"),
            "trade_hour": F.hour("timestamp"),
        }
    )


def bronze_prices(rows: DataFrame) -> DataFrame:
    """Rows of messages.tickers in the shape of bronze.raw_prices."""
    return rows.withColumns({"ingested_at": F.lit(ops.now()), "price_date": F.to_date("timestamp")})


def stg_prices(rows: DataFrame) -> DataFrame:
    """Rows of messages.tickers in the shape of silver.stg_prices."""
    now = F.lit(ops.now())
    return rows.withColumns(
        {"created_at": now, "updated_at": now, "price_date": F.to_date("timestamp")}
    )
