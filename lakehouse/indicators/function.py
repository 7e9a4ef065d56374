"""The indicators as a function of SQL: `technical_indicators(candles)`.

A dbt model gathers the candles of an asset and timeframe in an array, calls the function and
unfolds its answer with `inline`. It is an Arrow function, which Spark and Sail both run.
"""

from __future__ import annotations

import sys
from typing import Any

import polars as pl
import pyarrow as pa

from lakehouse.indicators import arithmetic, arrow_functions
from lakehouse.indicators.arithmetic import INDICATORS, technical_indicators

KEPT = ("timestamp", "open", "high", "low", "close", "volume", "provider", "batch_id")
USED = ("high", "low", "close", "volume", "settled")
ENRICHED = (*KEPT, *INDICATORS)
STRINGS = ("provider", "batch_id", "market_regime", "macd_cross")


def register(session: Any) -> None:
    """Make the function known to the session's SQL.

    Its argument: array<struct<KEPT, settled struct<SETTLED>>>, in any order, each time once;
    `settled` is null for candles that are to be computed. Its answer, of those:
    array<struct<ENRICHED>>.
    """
    columns = {name: _sql_type(name) for name in ENRICHED}
    code = (arithmetic, sys.modules[__name__])
    arrow_functions.register(session, "technical_indicators", _enriched, columns, *code)


def _sql_type(name: str) -> str:
    special = {"timestamp": "timestamp", "is_regime_start": "boolean"}
    return special.get(name, "string" if name in STRINGS else "double")


def _enriched(series: pa.StructArray) -> pa.StructArray:
    candles = pa.RecordBatch.from_struct_array(series)
    if not pl.Series(candles["timestamp"]).is_sorted():
        candles = candles.sort_by("timestamp")
    indicators = technical_indicators(pl.DataFrame(candles.select(USED)))
    found = indicators.to_arrow(compat_level=pl.CompatLevel.oldest()).combine_chunks()
    kept = candles.select(KEPT).slice(len(candles) - len(indicators))
    columns = [*kept.columns, *(column.chunk(0) for column in found.columns)]
    return pa.StructArray.from_arrays(columns, ENRICHED)
