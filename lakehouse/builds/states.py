"""What each silver and gold table holds: the bronze versions that it took in, in ops.table_builds.

A table is written, then gated. Until its gate has spoken, what was written waits, and the version
from before is remembered: a refusal goes back to it.
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
from lakehouse.settings import Settings
from lakehouse.tables import Table, built_tables
from lakehouse.timeframes import EPOCH


@dataclass(frozen=True, slots=True)
class State:
    """Where a table stands. `gated` are the bronze versions whose candles passed its gate, None
    before the first build; `written` are those that wait for it, None where nothing waits."""

    gated: Versions | None = None
    gated_until: datetime = EPOCH
    written: Versions | None = None
    version_before: int | None = None

    def after(self, row: dict[str, Any]) -> State:
        """The state that the row of ops.table_builds leads to."""
        versions, built_at = json.loads(row["bronze_versions"]), row["built_at"]
        match row["status"]:
            case "written":
                # The first of several writes in a row knows what there was before them.
                before = row["version_before"] if self.written is None else self.version_before
                return replace(self, written=versions, version_before=before)
            case "gated":
                return State(versions, built_at)
            case "restarted":
                return State({}, EPOCH)
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
    """Add to ops.table_builds that the tables are now written, gated, refused or restarted."""
    recorded_at = ops.now()
    rows = [
        {
            "build_id": build_id,
            "table": table.full_name,
            "status": status,
            "bronze_versions": json.dumps(versions, sort_keys=True),
            "version_before": (before or {}).get(table.full_name),
            "built_at": built_at,
            "recorded_at": recorded_at,
        }
        for table in tables
    ]
    ops.append(settings, "ops.table_builds", rows)


def common(versions: Sequence[Versions]) -> Versions:
    """What all of them have taken in: of each bronze table the lowest version."""
    names = set.intersection(*(set(of_one) for of_one in versions)) if versions else set()
    return {name: min(of_one[name] for of_one in versions) for name in sorted(names)}


def versions_of(settings: Settings, tables: Iterable[Table]) -> dict[str, int | None]:
    """The present version of each table by its full name; None where there is none."""
    paths = {table.full_name: str(table.path(settings.lake)) for table in tables}
    return {
        name: DeltaTable(path).version() if DeltaTable.is_deltatable(path) else None
        for name, path in paths.items()
    }


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
