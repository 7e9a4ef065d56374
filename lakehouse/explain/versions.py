"""The versions of a row: the commits of its table that changed it, found in the table's log.

A commit is looked into only where a file that may hold the row came or went with it. What vacuum or
clean-up of the log removed is said to be gone, and never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from lakehouse.commits import Commit, File, read_commit
from lakehouse.explain.files import Row, files_of, may_hold, read
from lakehouse.explain.span import Span
from lakehouse.settings import Settings
from lakehouse.timeframes import EPOCH

# A stream makes a version every few seconds; the last minutes of them are told.
MOST_VERSIONS = 50
# They say when the row was written, not what it says.
CIRCUMSTANCES = ("created_at", "updated_at")


@dataclass(frozen=True, slots=True)
class RowVersion:
    """A version of the table in which the row changed. `rows` are as they were then, None where
    vacuum removed their file; `changes` tells values that differ from the version before, as
    (before, after) by column."""

    version: int
    committed_at: datetime
    operation: str
    rows: list[Row] | None
    changes: dict[str, tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class History:
    """The versions of a span's rows, oldest first. Nothing is known of what was before version
    `known_from`."""

    span: Span
    present: int | None
    known_from: int
    versions: list[RowVersion]

    def at(self, version: int) -> RowVersion | None:
        """The rows' version that the table's version holds; None where it holds none that is
        known."""
        found = (row for row in reversed(self.versions) if row.version <= version)
        return next(found, None)


def history(settings: Settings, span: Span, most: int = MOST_VERSIONS) -> History:
    """How the rows came to be what they are, over so many versions of the table at most."""
    path = span.table.path(settings.lake)
    if not DeltaTable.is_deltatable(str(path)):
        return History(span, None, 0, [])
    present = DeltaTable(str(path)).version()
    first, before = _start(path, present, most)
    walk = _Walk(path, span, {})
    walk.take(before or [], frozenset())
    versions = []
    if walk.files:
        known = _named(path, first - 1)
        versions.append(RowVersion(first - 1, known[0], known[1], walk.rows(), {}))
    for number in range(first, present + 1):
        if (commit := read_commit(path, number)) and (found := walk.follow(commit)):
            versions.append(found)
    return History(span, present, 0 if before is None else first - 1, versions)


def _start(path: Path, present: int, most: int) -> tuple[int, list[File] | None]:
    """The first commit to follow, and the files before it; None where it is the first of all."""
    first = max(0, present + 1 - most)
    while first <= present and read_commit(path, first) is None:
        first += 1
    if first == 0:
        return first, None
    while True:
        try:
            return first, files_of(DeltaTable(str(path), version=first - 1))
        except DeltaError:
            # No checkpoint sums up what was before it; the present version can always be read.
            if first > present:
                raise
            first += 1


def _named(path: Path, version: int) -> tuple[datetime, str]:
    """When and how the version was made, as far as the log remembers."""
    if commit := read_commit(path, version):
        return commit.committed_at, commit.operation
    next_one = read_commit(path, version + 1)
    return (next_one.committed_at if next_one else EPOCH), "earlier"


@dataclass
class _Walk:
    """Follows the rows of a span from commit to commit. `files` are those that hold some, with
    them, or with None where they cannot be read any more."""

    path: Path
    span: Span
    files: dict[str, list[Row] | None]

    def take(self, added: list[File] | tuple[File, ...], removed: frozenset[str]) -> None:
        for path in removed & self.files.keys():
            del self.files[path]
        for file in added:
            if may_hold(file, self.span) and (rows := self._read(file)) != []:
                self.files[file.path] = rows

    def _read(self, file: File) -> list[Row] | None:
        try:
            return read(self.path, file, self.span).to_dicts()
        except FileNotFoundError:
            return None

    def rows(self) -> list[Row] | None:
        """The span's rows in the order of their keys; None if a file that may hold some is gone."""
        found: list[Row] = []
        for rows in self.files.values():
            if rows is None:
                return None
            found += rows
        keys = self.span.table.keys
        return sorted(found, key=lambda row: [str(row[key]) for key in keys])

    def follow(self, commit: Commit) -> RowVersion | None:
        """What the commit changed of the rows, if it changed them."""
        before, held = self.rows(), dict(self.files)
        self.take(commit.added, commit.removed)
        after = self.rows()
        is_untouched = self.files.keys() == held.keys() or commit.moves_rows_only
        if is_untouched or (before == after and after is not None):
            return None
        changes = _changes(before or [], after or [], self.span)
        return RowVersion(commit.version, commit.committed_at, commit.operation, after, changes)


def _changes(before: list[Row], after: list[Row], span: Span) -> dict[str, tuple[Any, Any]]:
    """What differs between the rows of the same keys; a value of several rows by its keys, too."""
    old, new = _by_key(before, span), _by_key(after, span)
    common = [key for key in new if key in old]
    is_one = len(new) == 1
    return {
        name if is_one else f"{key} {name}": (old[key][name], new[key][name])
        for key in common
        for name in new[key]
        if name not in CIRCUMSTANCES and old[key][name] != new[key][name]
    }


def _by_key(rows: list[Row], span: Span) -> Mapping[str, Row]:
    """The rows by those of their keys that the span leaves open, e.g. a regime."""
    fixed = {span.asset_column, span.time_column, "timeframe"}
    names = [key for key in span.table.keys if key not in fixed]
    return {" ".join(str(row[name]) for name in names): row for row in rows}
