"""What is in the lakehouse now, from the tables' own logs; no engine is needed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from lakehouse.settings import Settings
from lakehouse.time_travel import table_path, tables_on_disk

# The column that says which time a row speaks of, in the order of preference.
TIME_COLUMNS = ("timestamp", "date", "month")


@dataclass(frozen=True, slots=True)
class TableSummary:
    """A table as it stands; `first` and `last` are of the time its rows speak of."""

    table: str
    rows: int
    first: datetime | None
    last: datetime | None
    files: int
    size_bytes: int
    version: int


def inventory(settings: Settings) -> list[TableSummary]:
    """Every table of the lake but the lakehouse's own records."""
    names = [name for name in tables_on_disk(settings) if not name.startswith("ops.")]
    return [summarise(settings, name) for name in names]


def summarise(settings: Settings, name: str) -> TableSummary:
    """Raises UnknownTable."""
    table = DeltaTable(str(table_path(settings, name)))
    files = pa.table(table.get_add_actions(flatten=True))
    return TableSummary(
        table=name,
        rows=pc.sum(files["num_records"]).as_py() or 0,
        first=_extreme(files, "min", pc.min),
        last=_extreme(files, "max", pc.max),
        files=files.num_rows,
        size_bytes=pc.sum(files["size_bytes"]).as_py() or 0,
        version=table.version(),
    )


def _extreme(files: pa.Table, bound: str, function: Any) -> datetime | None:
    names = (f"{bound}.{column}" for column in TIME_COLUMNS)
    found = next((name for name in names if name in files.column_names), None)
    return function(files[found]).as_py() if found else None
