"""Dead letters of streams that pass their gate now: landed beside the stream, each row once."""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse import delta
from lakehouse.dead_letters.writing import write_dead_letters
from lakehouse.gate import Gate
from lakehouse.gate.marks import REASONS
from lakehouse.settings import Settings
from lakehouse.streams.aggregates import bring_in_late
from lakehouse.streams.landing import bronze_prices, bronze_trades, stg_prices
from lakehouse.streams.stream import PRICES, TRADES, Stream
from lakehouse.tables import Table


def land_mended(session: SparkSession, settings: Settings, table: str, rows: DataFrame) -> None:
    """Land rows (rows.TRADE_SCHEMA or PRICE_SCHEMA) that passed the gate of that table, and what
    follows from them in silver."""
    if table == TRADES.bronze_table:
        late = rows.withColumns(
            {
                "lowest": F.lit(None).cast("double"),
                "highest": F.lit(None).cast("double"),
                # Its minute is computed anew, as for every trade that came after its time.
                "late_before": F.col("timestamp") + F.expr("interval 1 second"),
            }
        )
        _insert(session, settings, TRADES, TRADES.bronze, bronze_trades(late))
        bring_in_late(settings)
    elif table == PRICES.bronze_table:
        _insert(session, settings, PRICES, PRICES.bronze, bronze_prices(rows))
        _insert(session, settings, PRICES, PRICES.silver, stg_prices(_believed(rows, settings)))
    else:
        _insert(session, settings, PRICES, PRICES.silver, stg_prices(rows))


def _believed(rows: DataFrame, settings: Settings) -> DataFrame:
    """Those that pass the gate of silver; dead letters for the others."""
    plain = rows.select([name for name in rows.columns if not name.startswith("gate_")])
    gate = Gate(PRICES.silver_table, settings)
    judged = gate.judge(gate.annotate(plain.drop(REASONS, "warnings")))
    write_dead_letters(judged, settings)
    return judged.rows.where(F.size(REASONS) == 0)


def _insert(
    session: SparkSession, settings: Settings, stream: Stream, table: Table, rows: DataFrame
) -> None:
    delta.ensure_table(session, settings, table)
    shaped = rows.select(*(F.col(c.name).cast(c.type) for c in table.columns))
    # MERGE would insert a row as often as its source has it.
    others = [c.name for c in table.columns if c.name not in table.keys]
    firsts = (F.first(name).alias(name) for name in others)
    once = shaped.groupBy(*table.keys).agg(*firsts)
    with stream.lock(settings):
        delta.insert_missing(once.select(*(c.name for c in table.columns)), table, table.keys)
