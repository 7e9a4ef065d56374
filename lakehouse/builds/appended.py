"""Which tables hold nothing that the arrivals could change: their rows are added, not merged.

A MERGE reads what it might change. A history taken in slice by slice would be read again with each
slice, and a day's increment would cost more the more days there are.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from pyspark.sql import SparkSession

from lakehouse.builds.arrivals import Recorded
from lakehouse.tables import Table


def appended_tables(
    session: SparkSession, tables: Iterable[Table], recorded: Recorded
) -> list[str]:
    """By full name, those of the tables, which must exist, that rows can just be added to."""
    since = recorded.closed_since()
    return [
        table.full_name
        for table in tables
        if (table.is_row_per_candle and recorded.is_all_new)
        or (table.is_row_per_moment and _ends_before(session, table, since))
    ]


def _ends_before(session: SparkSession, table: Table, since: dict[str, datetime]) -> bool:
    """Whether the table has no row of an asset from that moment on."""
    moments = session.createDataFrame(list(since.items()), "asset_pair string, since timestamp")
    moments.createOrReplaceTempView("moments")
    found = session.sql(
        f"SELECT 1 FROM {table.full_name} AS present INNER JOIN moments "
        "ON present.asset_pair = moments.asset_pair AND present.timestamp >= moments.since "
        f"WHERE present.timestamp >= timestamp'{min(since.values()):%Y-%m-%d %H:%M:%S}' LIMIT 1"
    )
    return not found.collect()
