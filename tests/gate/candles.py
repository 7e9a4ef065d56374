"""Candles for the gate: one good one, and changes to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from lakehouse.landing_rows import LANDING_DDL, LANDING_SCHEMA

START = datetime(2026, 3, 2, tzinfo=UTC)
NOW = datetime(2026, 3, 3, 0, 0, 30, tzinfo=UTC)


def candle(minute: int = 0, **changes: Any) -> dict[str, Any]:
    """A good 1m candle `minute` minutes into the day, changed as asked."""
    good = {
        "asset_pair": "BTCUSD",
        "timestamp": START + timedelta(minutes=minute),
        "open": 100.0,
        "high": 110.0,
        "low": 90.0,
        "close": 105.0,
        "volume": 2.5,
        "provider": "simulated",
        "timeframe": "1m",
        "batch_id": "batch-1",
        "source": "http://127.0.0.1/klines",
        "raw": f'[{minute},"100.0","110.0"]',
    }
    return good | changes


def frame_of(session: SparkSession, rows: list[dict[str, Any]]) -> DataFrame:
    if not rows:
        return session.createDataFrame([], LANDING_DDL)
    return session.createDataFrame(pa.Table.from_pylist(rows, LANDING_SCHEMA))
