"""Pinning silver and gold as they are, as a release."""

from __future__ import annotations

import json
from datetime import datetime
from itertools import count

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from lakehouse import ops, releases
from lakehouse.builds.arrivals import Versions
from lakehouse.delta_log import keep_log
from lakehouse.outcomes import Recorder
from lakehouse.releases import Release
from lakehouse.settings import Settings
from lakehouse.tables import built_tables

Held = dict[str, tuple[Versions, datetime]]


def pin(
    settings: Settings, recorder: Recorder, held: Held, kind: str, name: str | None = None
) -> Release:
    """Record a release of every table as it is; without a name, it has one of the time.

    `held` says by full name which bronze versions are in a table, and when it was built. For
    whoever holds the build lock.
    """
    name = name or new_name(settings)
    with recorder.step("release", name):
        release = _release(settings, held, kind, name)
        releases.record(settings, release)
    return release


def new_name(settings: Settings) -> str:
    """The time as a name that no release has yet."""
    taken = {release.name for release in releases.all_releases(settings)}
    moment = f"{ops.now():%Y%m%dT%H%M%SZ}"
    names = (moment if number == 1 else f"{moment}-{number}" for number in count(1))
    return next(name for name in names if name not in taken)


def _release(settings: Settings, held: Held, kind: str, name: str) -> Release:
    tables = {}
    for table in built_tables():
        path = table.path(settings.lake)
        keep_log(path)
        tables[table.full_name] = DeltaTable(str(path))
    return Release(
        name=name,
        kind=kind,
        created_at=ops.now(),
        dropped_at=None,
        versions={table: found.version() for table, found in tables.items()},
        rows={table: _rows(found) for table, found in tables.items()},
        bronze_versions={table: json.dumps(held[table][0], sort_keys=True) for table in tables},
        built_at={table: held[table][1] for table in tables},
    )


def _rows(table: DeltaTable) -> int:
    files = pa.table(table.get_add_actions())
    return int(pc.sum(files["num_records"]).as_py() or 0)
