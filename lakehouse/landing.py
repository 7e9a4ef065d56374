"""Landing: raw candles pass the gate and become rows of bronze, each exactly once.

Write, audit, publish. The raw rows are written to a staging area with the reasons the gate has
against each; every batch is judged there; what is good is merged into bronze by key and value, so
that landing the same rows again, at any time and from any process, adds nothing.
"""

from __future__ import annotations

import shutil
import time
import uuid
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse import delta, ops
from lakehouse.appending import append_new
from lakehouse.arrivals import Arrivals, arrivals_in
from lakehouse.dead_letters import write_dead_letters
from lakehouse.engine import is_sail
from lakehouse.gate import BatchVerdict, Gate, Judgement
from lakehouse.landing_rows import VALUES
from lakehouse.outcomes import Recorder
from lakehouse.scratch import through_files
from lakehouse.settings import Settings
from lakehouse.tables import Table, bronze_table
from lakehouse.timeframes import TIMEFRAMES

log = structlog.get_logger(__name__)

# What makes two rows of bronze the same: who said what of which candle.
IDENTITY = ("asset_pair", "timestamp", "provider", *VALUES)
PUBLISHERS = 3
LEFT_OVER_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class Landing:
    """What became of the batches of one landing."""

    verdicts: list[BatchVerdict]
    rows_landed: dict[str, int]  # bronze table -> rows that were new
    dead_letters: list[Path]
    arrivals: Arrivals

    @property
    def rows_new(self) -> int:
        return sum(self.rows_landed.values())

    @property
    def extents(self) -> list[Extent]:
        return _extents(self.arrivals)

    @property
    def quarantined(self) -> list[BatchVerdict]:
        return [verdict for verdict in self.verdicts if verdict.is_quarantined]


@dataclass(frozen=True, slots=True)
class Lander:
    """Lands frames of raw candles (see landing_rows); many batches, assets, timeframes at once."""

    session: SparkSession
    settings: Settings
    recorder: Recorder

    def land(self, frame: DataFrame, gate: Gate) -> Landing:
        """Gate the frame, publish its good rows, write dead letters for the others.

        A batch beyond its tolerance is quarantined: none of its rows is published. Raises
        WriteConflict, EngineUnreachable.
        """
        staging = self.settings.lake / "staging" / uuid.uuid4().hex
        try:
            return self._land(frame, gate, staging)
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def _land(self, frame: DataFrame, gate: Gate, staging: Path) -> Landing:
        with self.recorder.step("gate", gate.table) as outcome:
            staged = through_files(gate.annotate(frame), staging / "rows")
            judged = gate.judge(staged, scratch=staging / "repeated")
            outcome.rows_in = sum(verdict.rows for verdict in judged.verdicts)
            outcome.rows_rejected = sum(verdict.rejected for verdict in judged.verdicts)
        letters = write_dead_letters(judged, self.settings)
        scratch = staging / "published" if is_sail(self.settings) else None
        landed, arrivals = self.publish(judged, scratch)
        self.recorder.judged(judged.verdicts, gate.now)
        return Landing(judged.verdicts, landed, letters, arrivals)

    def publish(
        self, judged: Judgement, scratch: Path | None = None
    ) -> tuple[dict[str, int], Arrivals]:
        """Bring what passed the gate into bronze; the new rows by table, and what arrived.

        With a folder for scratch files, what bronze cannot hold yet is spared the MERGE.
        """
        is_published = ~F.col("batch_id").isin(sorted(judged.quarantined))
        good = judged.rows.where((F.size("reasons") == F.lit(0)) & is_published)
        arrivals = arrivals_in(judged)
        extents: dict[str, list[Extent]] = defaultdict(list)
        for extent in _extents(arrivals):
            extents[extent.timeframe].append(extent)
        candles = bronze_candles(good, ops.now())

        def publish_one(timeframe: str) -> int:
            rows = candles.where(F.col("timeframe") == F.lit(timeframe))
            folder = scratch / timeframe if scratch else None
            return self._publish(rows, bronze_table(timeframe), extents[timeframe], folder)

        present = [timeframe for timeframe in TIMEFRAMES if timeframe in extents]
        with ThreadPoolExecutor(PUBLISHERS) as pool:
            tables = [bronze_table(timeframe).full_name for timeframe in present]
            return dict(zip(tables, pool.map(publish_one, present), strict=True)), arrivals

    def _publish(
        self, rows: DataFrame, table: Table, extents: Sequence[Extent], scratch: Path | None
    ) -> int:
        path = table.path(self.settings.lake)
        with self.recorder.step("publish", table.full_name) as outcome:
            delta.ensure_table(self.session, self.settings, table)
            landed = append_new(rows, table, path, extents, scratch) if scratch else None
            if landed is None:
                landed = delta.insert_missing(rows, table, IDENTITY, _bounds(extents))
            outcome.wrote(path, landed)
        return landed


def bronze_candles(rows: DataFrame, ingested_at: datetime) -> DataFrame:
    """Landing rows in the shape of bronze (tables.CANDLE)."""
    return rows.select(
        "asset_pair",
        "timestamp",
        *VALUES,
        "provider",
        "timeframe",
        F.lit(ingested_at).alias("ingested_at"),
        "batch_id",
        F.to_date("timestamp").alias("partition_date"),
        # Sail loses track of a partition column that is a mere alias; asset pairs are upper case.
        F.upper("asset_pair").alias("partition_asset_pair"),
    )


def sweep(settings: Settings) -> None:
    """Remove what killed runs left half-done. A run that lives is never that old."""
    oldest = time.time() - LEFT_OVER_SECONDS
    for path in (*settings.lake.glob("landing/*"), *settings.lake.glob("staging/*")):
        if path.stat().st_mtime < oldest:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Extent:
    """Which candles of a batch passed the gate: first and last opening time, both inclusive."""

    batch_id: str
    asset_pair: str
    timeframe: str
    first: datetime
    last: datetime


def _extents(arrivals: Arrivals) -> list[Extent]:
    found = [(arrival, arrival.candles) for arrival in arrivals.arrivals if arrival.candles]
    return [
        Extent(arrival.batch_id, *arrival.series[:2], candles.first, candles.last)
        for arrival, candles in found
    ]


def _bounds(extents: Sequence[Extent]) -> str:
    """SQL over a MERGE's target: the part of the table that the extents touch."""
    assets = ", ".join(f"'{asset_pair}'" for asset_pair in sorted({e.asset_pair for e in extents}))
    first, last = min(e.first for e in extents), max(e.last for e in extents)
    return (
        f"target.partition_asset_pair IN ({assets}) "
        f"AND target.timestamp >= timestamp'{first:%Y-%m-%d %H:%M:%S}' "
        f"AND target.timestamp <= timestamp'{last:%Y-%m-%d %H:%M:%S}'"
    )
