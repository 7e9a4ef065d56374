"""A lake to build on: bronze is fed as the lander feeds it, what was built is read by delta-rs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl
from deltalake import DeltaTable
from polars.testing import assert_frame_equal
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakehouse import delta, ops
from lakehouse.builds import Build, build
from lakehouse.landing import IDENTITY, bronze_candles
from lakehouse.outcomes import Recorder
from lakehouse.settings import Settings
from lakehouse.tables import bronze_table, table_named

ENRICHED = "silver.market_data_enriched"
ANALYSIS = "silver.multi_timeframe_analysis"
DAILY = "gold.mart_daily_metrics"
TECHNICAL = "gold.mart_technical_indicators"
REGIMES = "gold.mart_market_regime_stats"
# What follows from bronze alone, however it came to be built.
BUILT = (ENRICHED, ANALYSIS, DAILY, TECHNICAL, REGIMES)
# What happened on the way.
SUPERSEDED = "silver.market_data_superseded"


@dataclass(frozen=True)
class Lake:
    """A lake and the session that serves it."""

    session: SparkSession
    settings: Settings

    def land(
        self, candles: pl.DataFrame, provider: str = "simulated", at: datetime | None = None
    ) -> None:
        """Put candles into bronze, as the lander does with those that passed its gate."""
        batched = candles.with_columns(provider=pl.lit(provider), batch_id=pl.lit("batch-1"))
        rows = bronze_candles(self.session.createDataFrame(batched.to_arrow()), at or ops.now())
        for timeframe in candles["timeframe"].unique():
            table = bronze_table(timeframe)
            delta.ensure_table(self.session, self.settings, table)
            of_timeframe = rows.where(F.col("timeframe") == F.lit(timeframe))
            delta.insert_missing(of_timeframe, table, IDENTITY)

    def build(self, *, full_refresh: bool = False) -> Build:
        recorder = Recorder(self.settings, "run-1")
        return build(self.session, self.settings, recorder, full_refresh=full_refresh)

    def rows(self, name: str) -> pl.DataFrame:
        """The table in the order of its keys."""
        table = table_named(name)
        found = pl.from_arrow(DeltaTable(str(table.path(self.settings.lake))).to_pyarrow_table())
        assert isinstance(found, pl.DataFrame)
        return found.select(column.name for column in table.columns).sort(table.keys)

    def values(self, name: str) -> pl.DataFrame:
        """The table in the order of its keys, without when its rows were written."""
        return self.rows(name).drop("created_at", "updated_at")

    def versions(self) -> dict[str, int]:
        paths = {name: table_named(name).path(self.settings.lake) for name in BUILT}
        return {name: DeltaTable(str(path)).version() for name, path in paths.items()}

    def copied_to(self, path: Path) -> Path:
        shutil.copytree(self.settings.lake, path)
        return path


NewLake = Callable[[Path], Lake]


def assert_same(found: pl.DataFrame, expected: pl.DataFrame) -> None:
    """Equal keys and texts, numbers equal to 1e-9."""
    assert_frame_equal(found, expected, rel_tol=1e-9, abs_tol=1e-9)


def assert_same_tables(found: Lake, expected: Lake) -> None:
    for name in BUILT:
        assert_same(found.values(name), expected.values(name))
