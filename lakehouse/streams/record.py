"""What the streams note of themselves: ops.stream_batches, read from its end."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder

from lakehouse import ops
from lakehouse.settings import Settings
from lakehouse.streams.stream import Stream
from lakehouse.tables import table_named

RECENT = timedelta(minutes=1)


def last_batches(settings: Settings, stream: Stream, limit: int) -> list[dict[str, Any]]:
    """The last rows of ops.stream_batches, newest first."""
    path = table_named("ops.stream_batches").path(settings.lake)
    if not DeltaTable.is_deltatable(str(path)):
        return []
    query = QueryBuilder().register("batches", DeltaTable(str(path)))
    found = query.execute(
        f"SELECT * FROM batches WHERE stream = '{stream.name}' "
        f"ORDER BY recorded_at DESC LIMIT {limit}"
    )
    rows: list[dict[str, Any]] = pa.table(found.read_all()).to_pylist()
    return rows


def offsets_landed(settings: Settings, stream: Stream) -> dict[int, int]:
    """By partition, the offset after the last message that was landed."""
    landed: dict[int, int] = {}
    for batch in last_batches(settings, stream, 1000):
        for partition, offset in json.loads(batch["offsets"]).items():
            landed[int(partition)] = max(offset, landed.get(int(partition), 0))
    return landed


def rate(settings: Settings, stream: Stream) -> float:
    """Messages a second over the last minute."""
    since = ops.now() - RECENT
    batches = last_batches(settings, stream, 100)
    read = sum(batch["rows_in"] for batch in batches if batch["recorded_at"] >= since)
    return float(read / RECENT.total_seconds())


def total_rows(settings: Settings, stream: Stream) -> dict[str, int]:
    """Messages by what became of them: landed, rejected, duplicate, late."""
    path = table_named("ops.stream_batches").path(settings.lake)
    if not DeltaTable.is_deltatable(str(path)):
        return {}
    query = QueryBuilder().register("batches", DeltaTable(str(path)))
    found = query.execute(
        "SELECT sum(rows_out) AS landed, sum(rows_rejected) AS rejected, "
        "sum(rows_duplicate) AS duplicate, sum(rows_late) AS late "
        f"FROM batches WHERE stream = '{stream.name}'"
    )
    totals: dict[str, int | None] = pa.table(found.read_all()).to_pylist()[0]
    return {name: count or 0 for name, count in totals.items()}
