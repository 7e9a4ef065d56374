"""The same way from the exchange to gold on Spark and on Sail gives the same tables."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tests.conftest import forget_tables
from tests.e2e.lakes import BRONZE, BUILT, Lake, new_lake, same

pytestmark = pytest.mark.e2e

BOTH = ("--assets", "BTCUSD,ETHUSD")
# A day of minutes and long candles; then a second day of hours, so that both also continue.
STEPS = (
    ("--from", "2026-03-02", "--to", "2026-03-03", "--timeframes", "1m,1h,4h,1d"),
    ("--from", "2026-03-03", "--to", "2026-03-04", "--timeframes", "1h"),
)


def landed_and_built(lake: Lake) -> None:
    for step in STEPS:
        lake.backfill(*BOTH, *step)


def test_both_engines_build_equal_tables(
    spark: SparkSession, spark_remote: str, tmp_path: Path
) -> None:
    forget_tables(spark)
    remote = {"SPARK_REMOTE": spark_remote}
    with new_lake(tmp_path / "sail") as sail, new_lake(tmp_path / "jvm", "spark", **remote) as jvm:
        landed_and_built(sail)
        landed_and_built(jvm)
        present = [name for name in BRONZE if sail.has(name)]
        assert [name for name in BRONZE if jvm.has(name)] == present
        assert same(jvm, sail, [*present, *BUILT]) == []
        assert sail.bronze().height == 2 * (1440 + 24 + 6 + 1 + 24)
