"""Provenance: which call or file the candles of a batch came from, in ops.sources."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lakehouse import ops
from lakehouse.arrivals import Share
from lakehouse.gaps.reading import texts
from lakehouse.settings import Settings

TABLE = "ops.sources"
Row = dict[str, Any]


def record_sources(settings: Settings, run_id: str, shares: Iterable[Share]) -> None:
    """Note where candles that passed the gate came from; a batch that lands twice is there once."""
    ops.upsert(settings, TABLE, _rows(run_id, shares))


def add_to_sources(settings: Settings, run_id: str, shares: Iterable[Share]) -> None:
    """Note it of candles that join others of their batch later, as replayed ones do."""
    rows = _rows(run_id, shares)
    batches = texts(row["batch_id"] for row in rows)
    known = ops.query(settings, TABLE, f"SELECT * FROM rows WHERE batch_id IN ({batches})")
    before = {_key(row): row for row in known}
    ops.upsert(settings, TABLE, [_joined(before.get(_key(row)), row) for row in rows])


def _rows(run_id: str, shares: Iterable[Share]) -> list[Row]:
    landed_at = ops.now()
    return [
        {
            "batch_id": share.batch_id,
            "run_id": run_id,
            "asset_pair": share.asset_pair,
            "timeframe": share.timeframe,
            "provider": share.provider,
            "source": share.source,
            "first_candle": share.first,
            "last_candle": share.last,
            "rows": share.rows,
            "landed_at": landed_at,
        }
        for share in shares
        if share.rows and share.source
    ]


def _key(row: Row) -> tuple[Any, ...]:
    return row["batch_id"], row["timeframe"], row["source"]


def _joined(before: Row | None, row: Row) -> Row:
    if before is None:
        return row
    return before | {
        "first_candle": min(before["first_candle"], row["first_candle"]),
        "last_candle": max(before["last_candle"], row["last_candle"]),
        "rows": before["rows"] + row["rows"],
    }
