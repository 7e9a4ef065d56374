"""Late trades come in once, whatever the stream did; no engine needed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from lakehouse.settings import Settings
from lakehouse.streams.stream import TRADES
from lakehouse.tables import Table
from spark_jobs import silver_trade_aggregates

MINUTE = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
TYPES = {
    "string": pa.string(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "double": pa.float64(),
    "bigint": pa.int64(),
    "int": pa.int32(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
}


def append(settings: Settings, table: Table, rows: list[dict[str, object]]) -> None:
    """Append to the table, which is made if there is none."""
    schema = pa.schema([(column.name, TYPES[column.type]) for column in table.columns])
    data = pa.Table.from_pylist(rows, schema=schema)
    path = str(table.path(settings.lake))
    write_deltalake(path, data, mode="append", partition_by=list(table.partition_by))


def trade(second: int, price: float, **changes: object) -> dict[str, object]:
    at = MINUTE + timedelta(seconds=second)
    return {
        "symbol": "BINANCE:BTCUSDT",
        "timestamp": at,
        "price": price,
        "volume": 1.0,
        "offset": second,
        "is_outlier": False,
        "is_late": False,
        "trade_year": at.year,
        "trade_month": at.month,
        "trade_day": at.day,
        "trade_hour": at.hour,
        **changes,
    }


@pytest.fixture
def streamed(settings: Settings) -> Settings:
    """A lake whose stream has landed two trades of a minute in time, and one too late."""
    append(settings, TRADES.silver, [])
    append(settings, TRADES.bronze, [trade(10, 100.0), trade(20, 102.0)])
    append(settings, TRADES.bronze, [trade(15, 90.0, offset=99, is_late=True)])
    return settings


def candles(settings: Settings) -> list[tuple[object, ...]]:
    found = pl.read_delta(str(TRADES.silver.path(settings.lake)))
    return found.select("open", "high", "low", "close", "trade_count").rows()


def test_a_late_trade_gets_into_its_candle(streamed: Settings) -> None:
    assert silver_trade_aggregates.bring_in_late(streamed) == 1
    assert candles(streamed) == [(100.0, 102.0, 90.0, 102.0, 3)]


def test_it_gets_in_once(streamed: Settings) -> None:
    silver_trade_aggregates.bring_in_late(streamed)
    assert silver_trade_aggregates.bring_in_late(streamed) == 0
    assert candles(streamed) == [(100.0, 102.0, 90.0, 102.0, 3)]


def test_a_lake_without_streams_has_nothing_to_bring_in(settings: Settings) -> None:
    assert silver_trade_aggregates.bring_in_late(settings) == 0
