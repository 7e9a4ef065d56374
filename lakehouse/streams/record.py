"""What the streams note of themselves: ops.stream_batches, read from its end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from lakehouse import ops
from lakehouse.settings import Settings
from lakehouse.streams.stream import Stream

TABLE = "ops.stream_batches"
RECENT = timedelta(minutes=1)
# More than a minute can have; enough for every partition to be among them.
LAST = 1000
Batches = Sequence[dict[str, Any]]


def last_batches(settings: Settings, stream: Stream) -> Batches:
    """The last rows of ops.stream_batches, newest first."""
    chosen = f"FROM rows WHERE stream = '{stream.name}' ORDER BY recorded_at DESC LIMIT {LAST}"
    return ops.query(settings, TABLE, f"SELECT * {chosen}")


def offsets_landed(batches: Batches) -> dict[int, int]:
    """By partition, the offset after the last message that was landed."""
    landed: dict[int, int] = {}
    for batch in batches:
        for partition, offset in json.loads(batch["offsets"]).items():
            landed[int(partition)] = max(offset, landed.get(int(partition), 0))
    return landed


def rate(batches: Batches) -> float:
    """Messages a second over the last minute."""
    since = ops.now() - RECENT
    read = sum(batch["rows_in"] for batch in batches if batch["recorded_at"] >= since)
    return float(read / RECENT.total_seconds())


def total_rows(settings: Settings, stream: Stream) -> dict[str, int]:
    """Messages by what became of them: landed, rejected, duplicate, late."""
    found = ops.query(
        settings,
        TABLE,
        "SELECT sum(rows_out) AS landed, sum(rows_rejected) AS rejected, "
        "sum(rows_duplicate) AS duplicate, sum(rows_late) AS late "
        f"FROM rows WHERE stream = '{stream.name}'",
    )
    return {name: count or 0 for totals in found for name, count in totals.items()}
