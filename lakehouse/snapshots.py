"""Snapshots: a query over many tables, each read at the version that belongs to one cut.

The cut is a time, a release or the present. The query stays as it was typed; behind the name of
each lake table ` VERSION AS OF n` is put, which both engines understand.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from lakehouse.checkpoint_hints import version_as_of
from lakehouse.errors import InvalidQuery
from lakehouse.releases import default_release, find_release
from lakehouse.settings import Settings
from lakehouse.statements import Statement, is_telling, replaced
from lakehouse.time_travel import resolve_version


@dataclass(frozen=True, slots=True)
class Cut:
    """Which version of a table is read: that of a time, of a release, or the present one.

    A default release, which nobody named, holds for the tables that can be in one; the others are
    read as they are.
    """

    settings: Settings
    as_of: datetime | None = None
    release: str | None = None
    is_default: bool = False

    @property
    def is_present(self) -> bool:
        return self.as_of is None and self.release is None

    def version_of(self, table: str) -> int | None:
        """None means the present one.

        Raises UnknownTable, BeforeFirstVersion, NotInRelease or VersionGone.
        """
        is_outside = self.is_default and default_release(self.settings, table) is None
        release = None if is_outside else self.release
        return resolve_version(self.settings, table, None, self.as_of, release)


def make_cut(settings: Settings, as_of: datetime | None = None, release: str | None = None) -> Cut:
    """The cut asked for; where neither is given, the release that `releases.read` names, if any.

    A time without an offset is UTC. Raises InvalidQuery for both, UnknownRelease or ReleaseGone.
    """
    if as_of is not None and release is not None:
        raise InvalidQuery(problem="a time and a release exclude each other.")
    if as_of is not None and as_of.tzinfo is None:
        as_of = as_of.replace(tzinfo=UTC)
    named = release or (settings.releases.read if as_of is None else None)
    # Found once: the latest release may be another for the next table.
    found = find_release(settings, named).name if named else None
    return Cut(settings, as_of, found, is_default=release is None)


def read_at(query: str, cut: Cut) -> str:
    """The query with its lake tables at the cut; tables that name a version keep it.

    Raises InvalidQuery where the query cannot be parsed, and what Cut.version_of raises.
    """
    if cut.is_present or (cut.is_default and is_telling(query)):
        return query
    versions: dict[str, int | None] = {}
    for table in reversed(Statement(query).tables()):
        if table.name not in versions:
            versions[table.name] = cut.version_of(table.name)
        number = versions[table.name]
        if number is not None:
            at_version = version_as_of(cut.settings, table.name, number)
            query = replaced(query, table.end, table.end, at_version)
    return query
