"""Rows and commits as either engine writes them, and messages of a stream."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from deltalake import write_deltalake
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakehouse import delta, ops
from lakehouse.commits import commits_after, read_commit, rows_written, version_of
from lakehouse.engine import register_tables
from lakehouse.explain import explain
from lakehouse.explain.files import TYPES, rows_now
from lakehouse.explain.span import span_of
from lakehouse.explain.versions import history
from lakehouse.landing import IDENTITY, bronze_candles
from lakehouse.outcomes import Outcome, written_since
from lakehouse.settings import Settings
from lakehouse.streams.aggregates import take_in
from lakehouse.streams.stream import TRADES
from lakehouse.tables import bronze_table
from tests.conftest import forget_tables

TABLE = bronze_table("1h")
FIRST = datetime(2026, 3, 2, tzinfo=UTC)
SYMBOL = "BINANCE:BTCUSDT"


def candles(hours: list[int], close: float) -> pl.DataFrame:
    prices = dict.fromkeys(("open", "high", "low"), pl.lit(100.0)) | {"close": pl.lit(close)}
    columns = {"asset_pair": pl.lit("BTCUSD"), "provider": pl.lit("simulated"), **prices}
    times = pl.DataFrame({"timestamp": [FIRST + timedelta(hours=hour) for hour in hours]})
    others = {"volume": pl.lit(1.0), "timeframe": pl.lit("1h"), "batch_id": pl.lit("a")}
    return times.with_columns(**columns, **others)


def land(session: SparkSession, settings: Settings, hours: list[int], close: float) -> int:
    delta.ensure_table(session, settings, TABLE)
    rows = bronze_candles(session.createDataFrame(candles(hours, close).to_arrow()), ops.now())
    return delta.insert_missing(rows, TABLE, IDENTITY)


@pytest.fixture
def lake_on(session: SparkSession, settings: Settings) -> Settings:
    forget_tables(session)
    register_tables(session, settings)
    return settings


def test_rows_and_versions_are_read_as_either_engine_wrote_them(
    session: SparkSession, lake_on: Settings
) -> None:
    path = TABLE.path(lake_on.lake)
    outcome = Outcome()
    outcome.wrote(path, land(session, lake_on, list(range(24)), 100.0))
    assert (outcome.rows_out, outcome.version) == (24, version_of(path))
    before = version_of(path)
    assert land(session, lake_on, [3], 101.0) == 1
    assert written_since(path, before) == {"rows_out": 1, "version": version_of(path)}

    span = span_of(lake_on, TABLE.full_name, "BTCUSD", FIRST + timedelta(hours=3), None)
    assert [row["close"] for row in rows_now(lake_on, span)] == [100.0, 101.0]
    found = history(lake_on, span)
    assert [len(version.rows or []) for version in found.versions] == [1, 2]
    assert [version.rows or [] for version in found.versions][-1] == rows_now(lake_on, span)

    keys = session.createDataFrame(
        [(FIRST + timedelta(hours=3), 101.0)], "timestamp timestamp, close double"
    )
    delta.delete(keys, TABLE.full_name, ["timestamp", "close"])
    assert [row["close"] for row in rows_now(lake_on, span)] == [100.0]
    assert len(history(lake_on, span).versions) == 3


def test_an_update_counts_the_rows_it_changed_not_those_it_copied(
    session: SparkSession, lake_on: Settings
) -> None:
    land(session, lake_on, list(range(24)), 100.0)
    before = version_of(TABLE.path(lake_on.lake))
    rows = session.table(TABLE.full_name).where(
        F.col("timestamp") < F.lit(FIRST + timedelta(hours=2))
    )
    changed = session.createDataFrame(rows.withColumn("close", F.lit(5.0)).toArrow())
    delta.upsert(changed, TABLE.full_name, ["asset_pair", "timestamp"])
    assert written_since(TABLE.path(lake_on.lake), before)["rows_out"] == 2


def test_only_so_many_versions_are_followed(sail: SparkSession, sail_lake: Settings) -> None:
    for close in (100.0, 101.0, 102.0):
        land(sail, sail_lake, [3], close)
    span = span_of(sail_lake, TABLE.full_name, "BTCUSD", FIRST + timedelta(hours=3), None)
    assert [version.version for version in history(sail_lake, span).versions] == [1, 2, 3]
    found = history(sail_lake, span, most=1)
    assert (found.known_from, [len(v.rows or []) for v in found.versions]) == (2, [2, 3])


def test_a_step_that_wrote_nothing_has_no_version(settings: Settings) -> None:
    path = TABLE.path(settings.lake)
    outcome = Outcome()
    outcome.wrote(path, 0)
    assert (outcome.rows_out, outcome.version) == (0, None)
    write_deltalake(str(path), pl.DataFrame({"a": [1]}).to_arrow())
    assert written_since(path, None) == {"rows_out": 1, "version": 0}
    assert written_since(path, 0) == {"rows_out": 0, "version": None}


def test_a_commit_that_is_gone_is_no_commit(settings: Settings) -> None:
    path = TABLE.path(settings.lake)
    assert (version_of(path), list(commits_after(path, None))) == (None, [])
    write_deltalake(str(path), pl.DataFrame({"a": [1]}).to_arrow())
    (path / "_delta_log" / f"{0:020d}.json").rename(path / "kept.json")
    assert read_commit(path, 0) is None
    assert rows_written({"numFiles": 3}) is None


@pytest.fixture
def streamed(settings: Settings) -> Settings:
    """An empty lake with the tables of the stream of trades."""
    for table in (TRADES.bronze, TRADES.silver):
        empty = pl.DataFrame(schema={c.name: TYPES[c.type] for c in table.columns}).to_arrow()
        write_deltalake(
            str(table.path(settings.lake)), empty, partition_by=list(table.partition_by)
        )
    return settings


def trades(settings: Settings, offsets: range, batch: int) -> None:
    """Land trades a second apart, one for each offset, as a micro-batch of the stream."""
    rows = pl.DataFrame({"offset": list(offsets)}).with_columns(
        symbol=pl.lit(SYMBOL),
        timestamp=pl.lit(FIRST) + pl.duration(seconds="offset"),
        price=100.0 + pl.col("offset"),
        volume=pl.lit(1.0),
        conditions=pl.lit(None, pl.String),
        occurrence=pl.lit(0, pl.Int32),
        is_outlier=pl.lit(False),
        is_late=pl.lit(False),
        processed_at=pl.lit(FIRST),
        received_at=pl.lit(FIRST),
        topic=pl.lit("stock-trades"),
        partition=pl.lit(0, pl.Int32),
        ingested_at=pl.lit(FIRST),
        batch_id=pl.lit(f"run-1-{batch}"),
        trade_year=pl.lit(2026, pl.Int32),
        trade_month=pl.lit(3, pl.Int32),
        trade_day=pl.lit(2, pl.Int32),
        trade_hour=pl.lit(0, pl.Int32),
    )
    names = [column.name for column in TRADES.bronze.columns]
    path = str(TRADES.bronze.path(settings.lake))
    partitions = list(TRADES.bronze.partition_by)
    write_deltalake(path, rows.select(names).to_arrow(), mode="append", partition_by=partitions)
    noted = {"stream": "trades", "batch_id": batch, "run_id": "run-1", "rows_in": len(rows)}
    ops.append(
        settings, "ops.stream_batches", [{**noted, "offsets": json.dumps({0: offsets.stop})}]
    )
    take_in(settings)


def test_a_minute_of_trades_names_its_messages_and_micro_batches(streamed: Settings) -> None:
    trades(streamed, range(10), 1)
    trades(streamed, range(10, 70), 2)
    story = explain(streamed, "silver.trade_aggregates", SYMBOL, FIRST + timedelta(seconds=7))
    places = [
        (row["topic"], row["partition"], row["first_offset"], row["last_offset"], row["messages"])
        for row in story.origin.rows
    ]
    assert places == [("stock-trades", 0, 0, 9, 10), ("stock-trades", 0, 10, 59, 50)]
    assert [batch["batch_id"] for batch in story.origin.micro_batches] == [1, 2]
    (found,) = story.histories
    assert [version.rows[0]["trade_count"] for version in found.versions if version.rows] == [
        10,
        60,
    ]
    assert found.versions[1].changes["close"] == (109.0, 159.0)
    bronze = explain(streamed, "bronze.raw_trades", SYMBOL, FIRST + timedelta(minutes=1))
    assert len(bronze.rows) == 10
    assert [span.table.full_name for span in bronze.dependents] == ["silver.trade_aggregates"]


def test_a_minute_without_a_message_says_so(streamed: Settings) -> None:
    trades(streamed, range(10), 1)
    story = explain(streamed, "silver.trade_aggregates", SYMBOL, FIRST + timedelta(hours=1))
    assert story.verdict == "It never arrived: no message of it was ever landed."
