"""Reading a table as it was, by version or by time, and saying what of it is still readable."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from pyspark.sql import DataFrame, SparkSession

from lakehouse.errors import BeforeFirstVersion, UnknownTable, UnknownVersion, VersionGone
from lakehouse.settings import Settings
from lakehouse.tables import LAYERS


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a table; `is_readable` is False once vacuum removed a file of it."""

    version: int
    committed_at: datetime
    operation: str
    rows_written: int | None
    is_readable: bool


def tables_on_disk(settings: Settings) -> list[str]:
    """Full names of the tables the lake holds, layer by layer."""
    logs = (log for layer in LAYERS for log in sorted((settings.lake / layer).glob("*/_delta_log")))
    return [f"{log.parents[1].name}.{log.parent.name}" for log in logs]


def table_path(settings: Settings, name: str) -> Path:
    """Folder of a table the lake holds. Raises UnknownTable, naming those it does."""
    known = tables_on_disk(settings)
    if name not in known:
        raise UnknownTable(table=name, known=", ".join(known) or "none yet; run a backfill")
    layer, _, table = name.partition(".")
    return settings.lake / layer / table


def history(settings: Settings, name: str, limit: int | None = None) -> list[Version]:
    """Versions of the table, newest first. Raises UnknownTable."""
    path = table_path(settings, name)
    table = DeltaTable(str(path))
    present = _files_present(path)
    return [_version(table, entry, present) for entry in table.history(limit)]


def _version(table: DeltaTable, entry: dict[str, object], present: set[str]) -> Version:
    number = int(str(entry["version"]))
    metrics = entry.get("operationMetrics") or {}
    return Version(
        version=number,
        committed_at=datetime.fromtimestamp(int(str(entry["timestamp"])) / 1000, UTC),
        operation=str(entry.get("operation", "")),
        rows_written=_rows_written(metrics if isinstance(metrics, dict) else {}),
        is_readable=_is_readable(table, number, present),
    )


def _rows_written(metrics: dict[str, object]) -> int | None:
    names = ("numTargetRowsInserted", "numOutputRows", "num_target_rows_inserted", "num_added_rows")
    return next((int(str(metrics[name])) for name in names if name in metrics), None)


def _is_readable(table: DeltaTable, number: int, present: set[str]) -> bool:
    try:
        table.load_as_version(number)
    except DeltaError:  # the log of that version is gone
        return False
    paths = pa.table(table.get_add_actions())["path"].to_pylist()
    return all(unquote(path) in present for path in paths)


def _files_present(path: Path) -> set[str]:
    return {
        os.path.relpath(Path(folder, file), path)
        for folder, _, files in os.walk(path)
        for file in files
    }


def resolve_version(
    settings: Settings, name: str, version: int | None, as_of: datetime | None
) -> int | None:
    """The version meant by a number or a time; None when neither is given.

    Raises UnknownTable, UnknownVersion, BeforeFirstVersion or VersionGone.
    """
    if version is None and as_of is None:
        table_path(settings, name)
        return None
    versions = history(settings, name)
    chosen = _by_number(name, versions, version) if version is not None else None
    chosen = chosen or _by_time(name, versions, as_of or datetime.now(UTC))
    if not chosen.is_readable:
        readable = ", ".join(str(v.version) for v in versions if v.is_readable)
        raise VersionGone(table=name, version=chosen.version, readable=readable)
    return chosen.version


def _by_number(name: str, versions: list[Version], number: int) -> Version:
    for version in versions:
        if version.version == number:
            return version
    first, last = versions[-1].version, versions[0].version
    raise UnknownVersion(table=name, version=number, first=first, last=last)


def _by_time(name: str, versions: list[Version], moment: datetime) -> Version:
    for version in versions:
        if version.committed_at <= moment:
            return version
    first = versions[-1].committed_at
    raise BeforeFirstVersion(
        table=name, asked=f"{moment:%Y-%m-%dT%H:%M:%SZ}", first=f"{first:%Y-%m-%dT%H:%M:%SZ}"
    )


def read(
    session: SparkSession,
    settings: Settings,
    name: str,
    version: int | None = None,
    as_of: datetime | None = None,
) -> DataFrame:
    """The table now, or as it was. Raises what resolve_version raises."""
    number = resolve_version(settings, name, version, as_of)
    suffix = "" if number is None else f" VERSION AS OF {number}"
    return session.sql(f"SELECT * FROM {name}{suffix}")
