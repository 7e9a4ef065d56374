"""What each silver and gold table holds: the bronze versions that it took in, in ops.table_builds.

A table is written, then gated. Until its gate has spoken, what was written waits, and the version
from before is remembered: a refusal goes back to it. A rollback says where it goes before it goes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from deltalake import DeltaTable

from lakehouse import ops
from lakehouse.builds.arrivals import Versions
from lakehouse.commits import version_of
from lakehouse.settings import Settings
from lakehouse.tables import Table, built_tables
from lakehouse.timeframes import EPOCH


@dataclass(frozen=True, slots=True)
class Goal:
    """Where a rollback takes a table: its version, and what was in that one."""

    rollback_id: str
    version: int
    gated: Versions
    gated_until: datetime


@dataclass(frozen=True, slots=True)
class State:
    """Where a table stands. `gated` are the bronze versions whose candles passed its gate, None
    before the first build; `written` are those that wait for it, None where nothing waits. A table
    `is_open` while it is written, and after a write that was killed: it holds part of one. `goal`
    is that of a rollback that has begun."""

    gated: Versions | None = None
    gated_until: datetime = EPOCH
    written: Versions | None = None
    version_before: int | None = None
    is_open: bool = False
    goal: Goal | None = None

    def after(self, row: dict[str, Any]) -> State:
        """The state that the row of ops.table_builds leads to."""
        versions, built_at = json.loads(row["bronze_versions"]), row["built_at"]
        match row["status"]:
            case "written":
                # The first of several writes in a row knows what there was before them.
                before = row["version_before"] if self.written is None else self.version_before
                return replace(self, written=versions, version_before=before, is_open=False)
            case "gated":
                return State(versions, built_at)
            case "begun":
                return replace(self, is_open=True)
            case "restarted":
                return State({}, EPOCH)
            case "rolling_back":
                goal = Goal(row["build_id"], row["version_before"], versions, built_at)
                return replace(self, goal=goal)
            case "stayed":
                return replace(self, goal=None, is_open=False)
            case _:
                return State(self.gated, self.gated_until)


States = dict[str, State]


def table_states(settings: Settings) -> States:
    """The state of every silver and gold table, by its full name."""
    states = {table.full_name: State() for table in built_tables()}
    rows = ops.read(settings, "ops.table_builds").to_pylist()
    for row in sorted(rows, key=lambda row: row["recorded_at"]):
        if row["table"] in states:
            states[row["table"]] = states[row["table"]].after(row)
    return states


def note(
    settings: Settings,
    tables: Iterable[Table],
    status: str,
    build_id: str,
    versions: Versions,
    built_at: datetime,
    before: dict[str, int | None] | None = None,
) -> None:
    """Add to ops.table_builds what became of the tables; see State for what a status means."""
    names = [table.full_name for table in tables]
    at = before or {}
    note_each(
        settings, status, build_id, {name: (versions, built_at, at.get(name)) for name in names}
    )


def note_each(
    settings: Settings,
    status: str,
    build_id: str,
    tables: dict[str, tuple[Versions, datetime, int | None]],
) -> None:
    """The same, in one commit, for tables that differ: by full name, the bronze versions, when it
    was built, and the version that it goes back to."""
    recorded_at = ops.now()
    rows = [
        {
            "build_id": build_id,
            "table": name,
            "status": status,
            "bronze_versions": json.dumps(versions, sort_keys=True),
            "version_before": version_before,
            "built_at": built_at,
            "recorded_at": recorded_at,
        }
        for name, (versions, built_at, version_before) in tables.items()
    ]
    ops.append(settings, "ops.table_builds", rows)


def common(versions: Sequence[Versions]) -> Versions:
    """What all of them have taken in: of each bronze table the lowest version."""
    names = set.intersection(*(set(of_one) for of_one in versions)) if versions else set()
    return {name: min(of_one[name] for of_one in versions) for name in sorted(names)}


def versions_of(settings: Settings, tables: Iterable[Table]) -> dict[str, int | None]:
    """The present version of each table by its full name; None where there is none."""
    return {table.full_name: version_of(table.path(settings.lake)) for table in tables}


def begin(
    settings: Settings, tables: Iterable[Table], states: States, build_id: str, now: datetime
) -> list[Table]:
    """Note that the tables are about to be written, so that who finds them half written knows it;
    those that were not half written already."""
    opened = [table for table in tables if not states[table.full_name].is_open]
    note(settings, opened, "begun", build_id, {}, now)
    return opened


def put_back(settings: Settings, tables: Sequence[Table], before: dict[str, int | None]) -> None:
    """Restore the tables to those versions; one that did not exist is emptied."""
    # Gold first: a candle that gold holds and silver does not would be appended to gold again.
    for table in reversed(tables):
        path, version = str(table.path(settings.lake)), before[table.full_name]
        if not DeltaTable.is_deltatable(path):
            continue
        present = DeltaTable(path)
        if version is None:
            present.delete()
        elif present.version() != version:
            present.restore(version)
