"""The ledger of releases, ops.releases: each is recorded, and dropped, in one commit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from lakehouse import ops
from lakehouse.errors import LatestIsKept, NotInRelease, ReleaseGone, UnknownRelease
from lakehouse.settings import Settings
from lakehouse.tables import built_tables

LATEST = "latest"
NAMED = "named"
NAMED_AT_MOST = 5  # in a message: as many as a person takes in


@dataclass(frozen=True, slots=True)
class Release:
    """The versions of silver and gold tables that were built and gated together.

    `bronze_versions` and `built_at` say of each table what was in it, as ops.table_builds does.
    """

    name: str
    kind: str
    created_at: datetime
    dropped_at: datetime | None
    versions: dict[str, int]
    rows: dict[str, int]
    bronze_versions: dict[str, str]
    built_at: dict[str, datetime]

    @property
    def is_kept(self) -> bool:
        return self.dropped_at is None

    def version_of(self, table: str) -> int:
        """Raises NotInRelease."""
        try:
            return self.versions[table]
        except KeyError:
            tables = ", ".join(self.versions)
            raise NotInRelease(table=table, release=self.name, tables=tables) from None


def all_releases(settings: Settings) -> list[Release]:
    """Every release ever made, newest first."""
    return _releases(ops.read(settings, "ops.releases").to_pylist())


def kept_releases(settings: Settings) -> list[Release]:
    """Newest first."""
    kept = 'SELECT * FROM rows WHERE "dropped_at" IS NULL'
    return _releases(ops.query(settings, "ops.releases", kept))


def latest_release(settings: Settings) -> Release | None:
    """The newest kept one; None before the first."""
    return next(iter(kept_releases(settings)), None)


def find_release(settings: Settings, name: str) -> Release:
    """The kept release of that name; `latest` is the newest. Raises UnknownRelease, ReleaseGone."""
    kept = kept_releases(settings)
    found = next((release for release in kept if name in (release.name, LATEST)), None)
    if found is not None:
        return found
    gone = next((release for release in all_releases(settings) if release.name == name), None)
    if gone is None:
        raise UnknownRelease(release=name)
    dropped_at = f"{gone.dropped_at:%Y-%m-%dT%H:%M:%SZ}"
    raise ReleaseGone(release=name, dropped_at=dropped_at, kept=_newest_named(kept))


def _newest_named(releases: list[Release]) -> str:
    names = ", ".join(release.name for release in releases[:NAMED_AT_MOST])
    others = len(releases) - NAMED_AT_MOST
    return f"{names} and {others} more" if others > 0 else names


def kept_versions(settings: Settings, table: str) -> list[int]:
    """Versions of the table that kept releases pin, ascending."""
    return versions_in(kept_releases(settings), table)


def versions_in(releases: Iterable[Release], table: str) -> list[int]:
    """Versions of the table that those releases pin, ascending."""
    return sorted({r.versions[table] for r in releases if table in r.versions})


def default_release(settings: Settings, table: str) -> str | None:
    """The release that a read of the table means when it names no version, time or release: the
    setting `releases.read` for silver and gold that are built; None: the table as it is."""
    is_in_releases = any(built.full_name == table for built in built_tables())
    return settings.releases.read if is_in_releases else None


def record(settings: Settings, release: Release) -> None:
    """Add the release to the ledger; for whoever holds the build lock."""
    ops.append(settings, "ops.releases", _rows(release))


def drop(settings: Settings, name: str) -> Release:
    """Let the release go: what only it needs is vacuum's. For whoever holds the build lock.

    Raises UnknownRelease, ReleaseGone, or LatestIsKept for the newest.
    """
    release = find_release(settings, name)
    if release == latest_release(settings):
        raise LatestIsKept(release=release.name)
    _drop(settings, [release])
    return release


def expired(settings: Settings) -> list[Release]:
    """Kept releases that `expire` would let go: of builds and rollbacks, and neither among the
    newest `releases.keep` of these nor younger than `releases.keep_days`."""
    options, kept = settings.releases, kept_releases(settings)
    automatic = [release for release in kept if release.kind != NAMED][options.keep :]
    young = ops.now() - timedelta(days=options.keep_days)
    # The latest of all is kept however it came about.
    return [r for r in automatic if r.created_at <= young and r != kept[0]]


def expire(settings: Settings) -> list[Release]:
    """Let go of what is expired, in one commit. For whoever holds the build lock."""
    releases = expired(settings)
    _drop(settings, releases)
    return releases


def _drop(settings: Settings, releases: list[Release]) -> None:
    dropped_at = ops.now()
    dropped = (replace(release, dropped_at=dropped_at) for release in releases)
    ops.upsert(settings, "ops.releases", [row for one in dropped for row in _rows(one)])


def _releases(rows: list[dict[str, Any]]) -> list[Release]:
    rows.sort(key=lambda row: (row["created_at"], row["release"]), reverse=True)
    return [_release(name, list(of_one)) for name, of_one in groupby(rows, lambda r: r["release"])]


def _release(name: str, rows: list[dict[str, Any]]) -> Release:
    def by_table(column: str) -> dict[str, Any]:
        return {row["table"]: row[column] for row in sorted(rows, key=lambda row: row["table"])}

    first = rows[0]
    return Release(
        name=name,
        kind=first["kind"],
        created_at=first["created_at"],
        dropped_at=first["dropped_at"],
        versions=by_table("version"),
        rows=by_table("rows"),
        bronze_versions=by_table("bronze_versions"),
        built_at=by_table("built_at"),
    )


def _rows(release: Release) -> list[dict[str, Any]]:
    return [
        {
            "release": release.name,
            "table": table,
            "version": version,
            "rows": release.rows[table],
            "kind": release.kind,
            "bronze_versions": release.bronze_versions[table],
            "built_at": release.built_at[table],
            "created_at": release.created_at,
            "dropped_at": release.dropped_at,
        }
        for table, version in release.versions.items()
    ]
