"""All timeframes side by side, as a function of SQL: `last_readings(readings)`.

A dbt model gathers what it reads off an asset's candles in an array, calls the function and unfolds
its answer with `inline`: one merge of sorted readings for each timeframe, where SQL would join the
table to itself six times.
"""

from __future__ import annotations

import sys
from typing import Any

import polars as pl
import pyarrow as pa

from lakehouse.indicators import arrow_functions
from lakehouse.timeframes import TIMEFRAMES

# Words go in and come out as numbers: strings would double the cost of the call.
READ = {"trend": "tinyint", "rsi": "double", "regime": "tinyint"}
HEEDED = {name: 2 * length for name, length in TIMEFRAMES.items()}


def register(session: Any) -> None:
    """Make the function known to the session's SQL.

    Its argument: array<struct<timeframe, closed_at, READ>>, in any order, each candle once. Its
    answer: array<struct<timestamp, READ of each timeframe>>, a row for every moment at which a
    candle closed, with the last reading by then unless that is older than HEEDED.
    """
    columns = {f"{name}_{of}": type_ for of in TIMEFRAMES for name, type_ in READ.items()}
    answer = {"timestamp": "timestamp", **columns}
    code = sys.modules[__name__]
    arrow_functions.register(session, "last_readings", _side_by_side, answer, code)


def _side_by_side(structs: pa.StructArray) -> pa.StructArray:
    readings = pl.Series(pa.chunked_array([structs])).struct.unnest().sort("closed_at")
    rows = readings.select(pl.col("closed_at").unique(maintain_order=True).set_sorted())
    for timeframe, heeded in HEEDED.items():
        of_it = readings.filter(timeframe=timeframe).select(
            pl.col("closed_at").set_sorted(),
            *(pl.col(name).alias(f"{name}_{timeframe}") for name in READ),
        )
        rows = rows.join_asof(of_it, on="closed_at", tolerance=heeded)
    known = rows.rename({"closed_at": "timestamp"}).to_struct()
    return known.to_arrow(compat_level=pl.CompatLevel.oldest())
