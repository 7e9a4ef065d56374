"""Rejected rows: every column of the table, null where the field did not parse, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from lakehouse.timeframes import EPOCH

BETWEEN = "; "
NOT_JSON = "message is not JSON"
LAST_MS = 253_402_300_799_999  # the end of the year 9999, after which there is no datetime


def rejected_row(
    schema: pa.Schema,
    fields: Mapping[str, Any],
    *,
    provider: str,
    source: str,
    received_us: int,
    raw: str,
    reasons: Sequence[str],
) -> dict[str, Any]:
    """The row as the journal keeps it; `provider` is for its letter alone."""
    return {
        **dict.fromkeys(schema.names),
        **fields,
        "received_at": (EPOCH + timedelta(microseconds=received_us)).isoformat(),
        "source": source,
        "raw": raw,
        "reason": BETWEEN.join(reasons),
        "provider": provider,
    }


def iso_of_ms(milliseconds: int | None) -> str | None:
    if milliseconds is None:
        return None
    return (EPOCH + timedelta(milliseconds=milliseconds)).isoformat()


def utc_text(received_us: int) -> str:
    """ISO 8601 with microseconds and Z."""
    moment = datetime.fromtimestamp(received_us // 1_000_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{received_us % 1_000_000:06d}Z"
