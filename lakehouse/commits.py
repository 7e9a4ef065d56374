"""What commits did to a table, read from its own log: rows written, files that came and went.

A log forgets: clean-up removes the commits that a checkpoint sums up. What is asked here of such a
commit is answered with nothing, never with a guess.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from deltalake import DeltaTable

# Rows that a commit brought or changed, by who wrote it: MERGE on Spark and Sail, a plain write of
# theirs, MERGE of delta-rs, a plain write of delta-rs. A MERGE's other figures count copies, too.
ROWS_WRITTEN = (
    ("numTargetRowsInserted", "numTargetRowsUpdated"),
    ("numOutputRows",),
    ("num_target_rows_inserted", "num_target_rows_updated"),
    ("num_added_rows",),
)


@dataclass(frozen=True, slots=True)
class File:
    """A file of a table: its path within the table's folder, its partition, and the least and the
    greatest value of its columns, as far as its writer told."""

    path: str
    partition: Mapping[str, str | None]
    least: Mapping[str, Any]
    greatest: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit; `rows_written` is None where its writer did not count. The files of one that
    `moves_rows_only` hold rows that were there before."""

    version: int
    committed_at: datetime
    operation: str
    rows_written: int | None
    added: tuple[File, ...]
    removed: frozenset[str]
    moves_rows_only: bool


def version_of(path: Path) -> int | None:
    """Present version of the Delta table; None where there is none."""
    return DeltaTable(str(path)).version() if DeltaTable.is_deltatable(str(path)) else None


def actions_of(path: Path, version: int) -> list[dict[str, Any]]:
    """What the commit that made that version of the table says, as Delta's protocol has it.

    Raises FileNotFoundError where the log has forgotten it.
    """
    text = (path / "_delta_log" / f"{version:020d}.json").read_text()
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def read_commit(path: Path, version: int) -> Commit | None:
    """The commit that made that version of the table; None where the log has forgotten it."""
    try:
        actions = actions_of(path, version)
    except FileNotFoundError:
        return None
    info: dict[str, Any] = next((a["commitInfo"] for a in actions if "commitInfo" in a), {})
    added = [action["add"] for action in actions if "add" in action]
    changes = (a.get("add") or a.get("remove") for a in actions)
    return Commit(
        version=version,
        committed_at=datetime.fromtimestamp(int(info.get("timestamp", 0)) / 1000, UTC),
        operation=str(info.get("operation", "")),
        rows_written=rows_written(info.get("operationMetrics") or {}),
        added=tuple(_file(add) for add in added),
        removed=frozenset(unquote(a["remove"]["path"]) for a in actions if "remove" in a),
        moves_rows_only=not any(file.get("dataChange", True) for file in changes if file),
    )


def commits_after(path: Path, version: int | None) -> Iterator[Commit]:
    """The commits after that version, None being before the first; those that are forgotten are
    left out."""
    first, last = (-1 if version is None else version) + 1, version_of(path)
    for number in range(first, -1 if last is None else last + 1):
        if commit := read_commit(path, number):
            yield commit


def rows_written(metrics: Mapping[str, Any]) -> int | None:
    """Rows that a commit brought or changed, from its own metrics, whichever engine wrote it."""
    for names in ROWS_WRITTEN:
        if names[0] in metrics:
            return sum(int(str(metrics.get(name, 0))) for name in names)
    return None


def _file(add: Mapping[str, Any]) -> File:
    statistics = json.loads(add.get("stats") or "{}")
    return File(
        path=unquote(add["path"]),
        partition=add.get("partitionValues") or {},
        least=statistics.get("minValues") or {},
        greatest=statistics.get("maxValues") or {},
    )
