"""Reading a table as it was, by version, time or release, and saying what is still readable."""

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

from lakehouse.checkpoint_hints import version_as_of
from lakehouse.errors import (
    BeforeFirstVersion,
    InvalidQuery,
    UnknownTable,
    UnknownVersion,
    VersionGone,
)
from lakehouse.releases import default_release, find_release
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
        committed_at=_committed_at(entry),
        operation=str(entry.get("operation", "")),
        rows_written=_rows_written(metrics if isinstance(metrics, dict) else {}),
        is_readable=_is_readable(table, number, present),
    )


def _rows_written(metrics: dict[str, object]) -> int | None:
    names = ("numTargetRowsInserted", "numOutputRows", "num_target_rows_inserted", "num_added_rows")
    return next((int(str(metrics[name])) for name in names if name in metrics), None)


def is_readable(settings: Settings, name: str, version: int) -> bool:
    """Whether every file of that version is there. Raises UnknownTable."""
    path = table_path(settings, name)
    return _is_readable(DeltaTable(str(path)), version, _files_present(path))


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
    settings: Settings,
    name: str,
    version: int | None,
    as_of: datetime | None,
    release: str | None = None,
) -> int | None:
    """The version meant by a number, a time or a release; None for the table as it is.

    Where none is given, the setting `releases.read` may name a release. Raises UnknownTable,
    InvalidQuery where several are given, UnknownVersion, BeforeFirstVersion, VersionGone,
    UnknownRelease, ReleaseGone or NotInRelease.
    """
    table_path(settings, name)
    if sum(given is not None for given in (version, as_of, release)) > 1:
        problem = "a table is read at a version, at a time or in a release; name one of them."
        raise InvalidQuery(problem=problem)
    if version is None and as_of is None:
        release = release or default_release(settings, name)
        if release is None:
            return None
    if release is not None:
        chosen = find_release(settings, release).version_of(name)
    else:
        chosen = _found(settings, name, version, as_of)
    if not is_readable(settings, name, chosen):
        readable = ", ".join(str(v.version) for v in history(settings, name) if v.is_readable)
        raise VersionGone(table=name, version=chosen, readable=readable)
    return chosen


def _found(settings: Settings, name: str, version: int | None, as_of: datetime | None) -> int:
    """The version that its history has under that number, or for that time."""
    entries = DeltaTable(str(table_path(settings, name))).history()
    if version is not None:
        return _by_number(name, [int(str(entry["version"])) for entry in entries], version)
    return _by_time(name, entries, as_of or datetime.now(UTC))


def _by_number(name: str, numbers: list[int], number: int) -> int:
    if number in numbers:
        return number
    raise UnknownVersion(table=name, version=number, first=numbers[-1], last=numbers[0])


def _by_time(name: str, entries: list[dict[str, object]], moment: datetime) -> int:
    for entry in entries:
        if _committed_at(entry) <= moment:
            return int(str(entry["version"]))
    first = _committed_at(entries[-1])
    raise BeforeFirstVersion(
        table=name, asked=f"{moment:%Y-%m-%dT%H:%M:%SZ}", first=f"{first:%Y-%m-%dT%H:%M:%SZ}"
    )


def _committed_at(entry: dict[str, object]) -> datetime:
    return datetime.fromtimestamp(int(str(entry["timestamp"])) / 1000, UTC)


def read(
    session: SparkSession,
    settings: Settings,
    name: str,
    version: int | None = None,
    as_of: datetime | None = None,
    release: str | None = None,
) -> DataFrame:
    """The table now, or as it was. Raises what resolve_version raises."""
    number = resolve_version(settings, name, version, as_of, release)
    at_version = "" if number is None else version_as_of(settings, name, number)
    return session.sql(f"SELECT * FROM {name}{at_version}")
