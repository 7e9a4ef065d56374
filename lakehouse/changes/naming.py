"""The ways to name a version of a table."""

from __future__ import annotations

from typing import cast

from lakehouse.moments import parse_moment
from lakehouse.releases import LATEST, all_releases, find_release
from lakehouse.settings import Settings
from lakehouse.time_travel import resolve_version, table_path


def version_named(settings: Settings, table: str, name: str) -> int:
    """The version of the table that a number, a release or a time (ISO, UTC) stands for.

    Raises UnknownTable, UnknownVersion, VersionGone, BeforeFirstVersion, ReleaseGone, NotInRelease,
    or InvalidWindow for what is none of these.
    """
    table_path(settings, table)
    if name == LATEST or any(release.name == name for release in all_releases(settings)):
        return find_release(settings, name).version_of(table)
    if name.isdecimal():
        found = resolve_version(settings, table, int(name), None)
    else:
        moment = parse_moment(name, "a version, release or time:")
        found = resolve_version(settings, table, None, moment)
    return cast(int, found)  # None is for the present only
