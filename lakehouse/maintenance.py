"""Upkeep of tables: fewer, larger files; and no files that no wanted version needs.

delta-rs does both for either engine, without one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import structlog
from deltalake import DeltaTable
from filelock import FileLock

from lakehouse import ops
from lakehouse.builds.locking import build_lock
from lakehouse.builds.needs import needed_entries, needed_versions
from lakehouse.conflicts import again_on_conflict
from lakehouse.delta_log import clean_log, keep_log
from lakehouse.errors import InvalidRetention
from lakehouse.releases import expire
from lakehouse.settings import Settings
from lakehouse.tables import registry
from lakehouse.time_travel import table_path

log = structlog.get_logger(__name__)

ALLOWING_WORD = "--allow-short-retention"
# A landing adds a file or two to each partition it touches.
MANY_FILES = 16


def is_scattered(settings: Settings, name: str) -> bool:
    """Whether the table has so many files for its partitions that compacting it is worth it."""
    table = DeltaTable(str(table_path(settings, name)))
    partitions = len(table.partitions()) if table.metadata().partition_columns else 1
    return len(table.file_uris()) > MANY_FILES * max(1, partitions)


def order_of(name: str) -> tuple[str, ...]:
    """The columns that the registry has the table ordered by."""
    known = registry().get(name)
    return known.sort_by if known else ()


@again_on_conflict(longest_wait=5)
def optimize(
    settings: Settings, name: str, zorder_columns: Sequence[str] | None = None
) -> dict[str, Any]:
    """Compact the table's files, ordered by `zorder_columns` if given; delta-rs's metrics."""
    table = DeltaTable(str(table_path(settings, name)))
    if zorder_columns:
        return dict(table.optimize.z_order(list(zorder_columns)))
    return dict(table.optimize.compact())


def safe_retention_hours(settings: Settings, name: str) -> float:
    """Hours of history that the registry promises for the table."""
    known = registry().get(name)
    own = known.retention_hours if known else None
    return settings.retention_hours if own is None else own


def files_lock(settings: Settings) -> FileLock:
    """Held by whoever removes files of tables, or must find them while it copies them."""
    lock = settings.lake / ".services" / "files.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(lock)


def vacuum(
    settings: Settings,
    name: str,
    retention_hours: float | None = None,
    *,
    dry_run: bool = False,
    allow_short: bool = False,
) -> list[str]:
    """Remove (or with `dry_run` name) the files only versions older than that need.

    What a kept release needs stays, at whatever age; releases that are expired are let go first.
    Entries of the table's log that nothing needs any more go, too. Raises InvalidRetention below
    the safe retention unless `allow_short`.
    """
    safe = safe_retention_hours(settings, name)
    hours = safe if retention_hours is None else retention_hours
    if hours < safe and not (allow_short or dry_run):
        raise InvalidRetention(hours=hours, safe=safe, table=name, word=ALLOWING_WORD)
    path = table_path(settings, name)
    if dry_run:
        return _vacuum(settings, name, hours, dry_run=True)
    # A build may go back to a version from before it; so it must not run meanwhile.
    with build_lock(settings), files_lock(settings):
        expire(settings)
        keep_log(path)
        files = _vacuum(settings, name, hours)
        until = ops.now() - timedelta(hours=hours)
        entries = clean_log(path, needed_entries(settings, name), until)
    log.info("vacuumed", table=name, files=len(files), log_entries=entries)
    return files


def _vacuum(settings: Settings, name: str, hours: float, *, dry_run: bool = False) -> list[str]:
    return DeltaTable(str(table_path(settings, name))).vacuum(
        int(hours),
        dry_run=dry_run,
        enforce_retention_duration=False,
        keep_versions=needed_versions(settings, name),
    )
