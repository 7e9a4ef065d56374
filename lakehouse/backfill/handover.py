"""Landing files: what one step fetched, on disk for the step that gates it.

A file is named for its batch, so whoever runs the batch next finds it, in this process or another.
It says itself who served it, who was asked in vain before and how many rows each window has.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse.backfill.failures import Failure, failures_of
from lakehouse.backfill.plan import Batch
from lakehouse.backfill.progress import Interval
from lakehouse.landing_rows import LANDING_SCHEMA
from lakehouse.settings import Settings
from lakehouse.sources import Fetched

FACTS = b"lakehouse"


@dataclass(frozen=True, slots=True)
class Ready:
    """A fetched batch, on disk, waiting to be gated and landed."""

    batch: Batch
    file: Path
    served_by: str
    rows_by_window: tuple[int, ...]
    failures: tuple[Failure, ...] = ()

    @property
    def rows(self) -> int:
        return sum(self.rows_by_window)


def hand_over(settings: Settings, batch: Batch, fetched: Fetched) -> Ready:
    """Write what was fetched. The file's name is hidden from readers until it is whole."""
    folder = _folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    counts = _rows_by_window(batch, fetched)
    failures = failures_of(fetched.failures, batch.provider)
    facts = {
        "served_by": fetched.provider,
        "rows_by_window": counts,
        "failures": [failure.as_json() for failure in failures],
    }
    file = folder / f"{batch.batch_id}.parquet"
    hidden = folder / f".{file.name}-{uuid.uuid4().hex[:8]}"
    table = _table(batch, fetched).replace_schema_metadata({FACTS: json.dumps(facts)})
    pq.write_table(table, hidden)
    hidden.rename(file)
    return Ready(batch, file, fetched.provider, counts, tuple(failures))


def handed_over(settings: Settings, batch: Batch) -> Ready | None:
    """The batch as it was fetched before, if it still waits."""
    file = _folder(settings) / f"{batch.batch_id}.parquet"
    try:
        metadata = pq.read_schema(file).metadata or {}
    except FileNotFoundError:
        return None
    facts = json.loads(metadata[FACTS])
    failures = map(Failure.from_json, facts.get("failures", []))
    counts = tuple(facts["rows_by_window"])
    return Ready(batch, file, facts["served_by"], counts, tuple(failures))


def _folder(settings: Settings) -> Path:
    return settings.lake / "landing"


def _table(batch: Batch, fetched: Fetched) -> pa.Table:
    rows = fetched.candles
    columns = [
        pa.array([batch.asset_pair] * len(rows)),
        *(pa.array([getattr(row, name) for row in rows]) for name in LANDING_SCHEMA.names[1:7]),
        pa.array([fetched.provider] * len(rows)),
        pa.array([batch.timeframe] * len(rows)),
        pa.array([batch.batch_id] * len(rows)),
        pa.array([row.source for row in rows]),
        pa.array([row.raw for row in rows]),
    ]
    arrays = [c.cast(f.type) for c, f in zip(columns, LANDING_SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=LANDING_SCHEMA)


def _rows_by_window(batch: Batch, fetched: Fetched) -> tuple[int, ...]:
    counts: Counter[Interval] = Counter()
    windows = iter(batch.windows)
    window = next(windows)
    for candle in sorted(fetched.candles, key=lambda candle: candle.timestamp or window[0]):
        while candle.timestamp and candle.timestamp >= window[1]:
            window = next(windows)
        counts[window] += 1
    return tuple(counts[window] for window in batch.windows)
