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
    from pyspark import cloudpickle
    from pyspark.sql.functions import arrow_udf  # type: ignore[attr-defined]

    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # type: ignore[no-untyped-call]
    columns = [f"{name}_{of}: {type_}" for of in TIMEFRAMES for name, type_ in READ.items()]
    schema = ", ".join(["timestamp: timestamp", *columns])
    function = arrow_udf(_over_arrays, returnType=f"array<struct<{schema}>>")
    session.udf.register("last_readings", function)


def _over_arrays(readings: pa.Array) -> pa.Array:
    """One array of readings per asset to one of what was known at each moment."""
    answers = [_side_by_side(asset.values) for asset in readings]
    offsets = [0]
    for answer in answers:
        offsets.append(offsets[-1] + len(answer))
    rows = pl.concat(answers).to_struct().to_arrow(compat_level=pl.CompatLevel.oldest())
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), rows)


def _side_by_side(structs: pa.StructArray) -> pl.DataFrame:
    readings = pl.Series(pa.chunked_array([structs])).struct.unnest().sort("closed_at")
    rows = readings.select(pl.col("closed_at").unique(maintain_order=True).set_sorted())
    for timeframe, heeded in HEEDED.items():
        of_it = readings.filter(timeframe=timeframe).select(
            pl.col("closed_at").set_sorted(),
            *(pl.col(name).alias(f"{name}_{timeframe}") for name in READ),
        )
        rows = rows.join_asof(of_it, on="closed_at", tolerance=heeded)
    return rows.rename({"closed_at": "timestamp"})
