"""The gate of silver.trade_aggregates: what the stream wrote is checked beside it, now and then.

A gate takes longer than a micro-batch may. What it guards is our own arithmetic, for every trade
passed the gate of bronze before.
"""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import SparkSession

from lakehouse import ops
from lakehouse.builds.gating import Gated, gate_table
from lakehouse.engine import register_tables
from lakehouse.outcomes import Recorder
from lakehouse.settings import Settings
from lakehouse.streams.stream import TRADES
from lakehouse.timeframes import EPOCH


def audit(session: SparkSession, settings: Settings, recorder: Recorder) -> Gated:
    """Gate the candles that changed since they were gated last; refused ones leave the table as
    dead letters.

    Raises BatchQuarantined. It takes the stream's lock.
    """
    table = TRADES.silver
    if not (table.path(settings.lake) / "_delta_log").exists():
        return Gated()
    register_tables(session, settings)
    with TRADES.lock(settings), recorder.step("gate", table.full_name) as outcome:
        since = _audited_until(settings)
        gated = gate_table(session, settings, recorder, table, since, recorder.run_id)
        outcome.rows_in, outcome.rows_rejected = gated.rows, gated.rejected
    recorder.flush()
    return gated


def _audited_until(settings: Settings) -> datetime:
    newest = f"SELECT max(checked_at) AS newest FROM rows WHERE \"table\" = '{TRADES.silver_table}'"
    found = ops.query(settings, "ops.quality_results", newest)
    return (found[0]["newest"] if found else None) or EPOCH
