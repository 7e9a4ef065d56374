"""The lakehouse's own records, kept as Delta tables in the schema `ops`.

They are small and written often, so delta-rs writes them: no engine is needed to leave a record or
to look one up, and every engine can query them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder, write_deltalake

from lakehouse.conflicts import again_on_conflict
from lakehouse.delta_log import KEEPING
from lakehouse.settings import Settings
from lakehouse.tables import Table, table_named

ARROW_TYPES = {
    "string": pa.string(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
}
ATTEMPTS = 8

_retry_conflicts = again_on_conflict(ATTEMPTS, first_wait=0.05)


def now() -> datetime:
    return datetime.now(UTC)


def read(settings: Settings, name: str) -> pa.Table:
    """All rows of an ops table, in no order; empty if it was never written."""
    table = table_named(name)
    path = table.path(settings.lake)
    if not DeltaTable.is_deltatable(str(path)):
        return _schema(table).empty_table()
    columns = ", ".join(f'"{name}"' for name in _schema(table).names)
    return _queried(path, f"SELECT {columns} FROM rows").cast(_schema(table))


def query(settings: Settings, name: str, sql: str) -> list[dict[str, Any]]:
    """What a query FROM rows finds in an ops table; nothing if it was never written."""
    path = table_named(name).path(settings.lake)
    return _queried(path, sql).to_pylist() if DeltaTable.is_deltatable(str(path)) else []


def _queried(path: Path, sql: str) -> pa.Table:
    # Not through pyarrow's dataset: its threads call back into Python, and a process that ends soon
    # afterwards is aborted now and then.
    return pa.table(QueryBuilder().register("rows", DeltaTable(str(path))).execute(sql).read_all())


def append(settings: Settings, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Append rows; columns that a row lacks are null."""
    table = table_named(name)
    data = pa.Table.from_pylist([dict(row) for row in rows], schema=_schema(table))
    if data.num_rows:
        _append(settings, table, data)


@_retry_conflicts
def _append(settings: Settings, table: Table, data: pa.Table) -> None:
    write_deltalake(
        str(table.path(settings.lake)), data, mode="append", configuration=dict(KEEPING)
    )


def upsert(settings: Settings, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Insert rows, replacing those with the same keys."""
    table = table_named(name)
    data = pa.Table.from_pylist([dict(row) for row in rows], schema=_schema(table))
    if data.num_rows == 0:
        return
    if not DeltaTable.is_deltatable(str(table.path(settings.lake))):
        _append(settings, table, data.slice(0, 0))
    _merge(settings, table, data)


@_retry_conflicts
def _merge(settings: Settings, table: Table, data: pa.Table) -> None:
    on_keys = " and ".join(f"target.{key} = source.{key}" for key in table.keys)
    (
        DeltaTable(str(table.path(settings.lake)))
        .merge(data, on_keys, source_alias="source", target_alias="target")
        .when_matched_update_all()
        .when_not_matched_insert_all()
        .execute()
    )


def _schema(table: Table) -> pa.Schema:
    return pa.schema([(column.name, ARROW_TYPES[column.type]) for column in table.columns])
