"""A lake from before a model got a column gets it by the next build, and forgets nothing."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
from deltalake import DeltaTable, write_deltalake
from pyspark.sql import SparkSession

from lakehouse.builds import create_release, gate_stage, is_behind, is_stage_up_to_date, write_stage
from lakehouse.outcomes import Recorder
from lakehouse.queries import run_query
from lakehouse.settings import Settings
from lakehouse.tables import stages, table_named
from tests.builds.lakes import (
    BUILT,
    ENRICHED,
    SUPERSEDED,
    TECHNICAL,
    Lake,
    assert_same,
    assert_same_tables,
)
from tests.builds.market import END

CORRECTED_AT = END - timedelta(days=1, hours=4)


def forget_column(lake: Lake, *names: str) -> None:
    for name in names:
        path = str(table_named(name).path(lake.settings.lake))
        older = DeltaTable(path).to_pyarrow_table().drop_columns(["macd_cross"])
        write_deltalake(path, older, mode="overwrite", schema_mode="overwrite")


def spoil(lake: Lake) -> None:
    """As if gold had been built when silver said something else."""
    path = str(table_named(TECHNICAL).path(lake.settings.lake))
    DeltaTable(path).update(new_values={"macd_cross": "'down'"})


def assert_same_times(found: Lake, expected: Lake) -> None:
    for name in BUILT:
        now, before = found.rows(name), expected.rows(name)
        assert now["created_at"].equals(before["created_at"])
        if name != TECHNICAL:
            assert now["updated_at"].equals(before["updated_at"])


def test_the_next_build_adds_the_column_and_builds_anew_what_depends_on_it(
    copy: Lake, whole: Lake
) -> None:
    forget_column(copy, ENRICHED, SUPERSEDED)
    spoil(copy)
    assert is_behind(copy.settings)
    copy.build()
    assert_same_tables(copy, whole)
    assert_same_times(copy, whole)
    assert copy.rows(SUPERSEDED).is_empty()
    assert not is_behind(copy.settings)
    assert copy.build().rows == {}


def test_steps_in_any_order_do_so_too(copy: Lake, whole: Lake) -> None:
    forget_column(copy, ENRICHED, SUPERSEDED)
    spoil(copy)
    recorder = Recorder(copy.settings, "run-1")
    assert not any(is_stage_up_to_date(copy.settings, stage) for stage in stages())
    for stage in reversed(stages()):
        write_stage(copy.session, copy.settings, recorder, stage)
    for stage in stages():
        gate_stage(copy.session, copy.settings, recorder, stage)
    assert_same_tables(copy, whole)
    assert_same_times(copy, whole)
    assert copy.build().rows == {}


def test_what_arrives_meanwhile_supersedes_what_was_known_without_the_column(
    copy: Lake, whole: Lake, candles: pl.DataFrame
) -> None:
    forget_column(copy, ENRICHED, SUPERSEDED)
    of_series = {"asset_pair": "BTCUSD", "timeframe": "4h"}
    corrected = candles.filter(**of_series, timestamp=CORRECTED_AT)
    copy.land(corrected.with_columns(pl.col("open", "high", "low", "close") * 1.01))
    copy.build()
    found, before = copy.values(SUPERSEDED), whole.values(ENRICHED)
    known = before.filter(**of_series).filter(pl.col("timestamp") >= CORRECTED_AT)
    assert len(found) == len(known) > 1
    assert found["macd_cross"].null_count() == len(found)
    assert_same(found.select(known.columns).drop("macd_cross"), known.drop("macd_cross"))
    assert copy.rows(ENRICHED)["created_at"].equals(whole.rows(ENRICHED)["created_at"])


def test_a_release_from_before_tells_what_was_known_without_the_column(
    copy: Lake, whole: Lake
) -> None:
    forget_column(copy, ENRICHED, SUPERSEDED)
    release = create_release(copy.settings, Recorder(copy.settings, "run-1"), "before")
    copy.build()
    query = f"SELECT * FROM point_in_time({ENRICHED!r}, '2999-01-01')"
    known = run_query(copy.session, copy.settings, query, release=release.name).toArrow()
    assert known.num_rows == len(whole.rows(ENRICHED))
    assert known["macd_cross"].null_count == known.num_rows


def test_spark_does_as_sail_does(
    spark: SparkSession, lake: Settings, candles: pl.DataFrame
) -> None:
    on_spark, recorder, silver = Lake(spark, lake), Recorder(lake, "run-1"), stages()[0]
    on_spark.land(candles.filter(asset_pair="BTCUSD", timeframe="1h").head(60))
    write_stage(spark, lake, recorder, silver)
    gate_stage(spark, lake, recorder, silver)
    before = on_spark.rows(ENRICHED)
    forget_column(on_spark, ENRICHED)
    write_stage(spark, lake, recorder, silver)
    assert before["macd_cross"].null_count() < len(before)
    assert on_spark.rows(ENRICHED).equals(before)
