"""What was known before a build: the versions it compares with, so that none of it is forgotten.

What the latest release holds counts as known. Releases pin their versions, so those can be read,
however many builds were killed since.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from deltalake import DeltaTable
from deltalake.schema import Schema
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from lakehouse.builds.arrivals import SILVER, Recorded
from lakehouse.builds.states import States, versions_of
from lakehouse.model_columns import lacking_columns
from lakehouse.releases import latest_release
from lakehouse.settings import Settings
from lakehouse.tables import Table, built_tables, stages, table_named

# Bronze tells what replaced a value, not when: a refresh leaves what it holds, and adds to it.
SUPERSEDED = "silver.market_data_superseded"
NOTHING = -1


@dataclass(frozen=True, slots=True)
class Known:
    """`version` is that of market_data_enriched in the latest release, or NOTHING. The table
    `is_as_released` if no later version of it was written."""

    version: int = NOTHING
    is_as_released: bool = False

    def replaced_by(self, recorded: Recorded) -> int:
        """The version of which the arrivals may replace a value; NOTHING if they replace none."""
        return NOTHING if self.is_as_released and recorded.is_all_new else self.version


def known(settings: Settings) -> Known:
    """What readers of releases know of the candles now."""
    release = latest_release(settings)
    version = release.versions.get(SILVER) if release else None
    if version is None or not _is_comparable(settings, SILVER, version):
        return Known()
    return Known(version, version == versions_of(settings, [table_named(SILVER)])[SILVER])


def refreshed_versions(
    settings: Settings, tables: Iterable[Table], states: States
) -> dict[str, int]:
    """By full name, the version whose rows keep created_at and updated_at in a refresh. Without a
    release it is the present version, if it is whole; tables are left out that have none, or had
    other keys."""
    tables = list(tables)
    release, present = latest_release(settings), versions_of(settings, tables)
    released = release.versions if release else {}
    whole = {name: present[name] for name in present if states[name].gated}
    found = {name: released.get(name, whole.get(name)) for name in present if name != SUPERSEDED}
    return {
        name: version
        for name, version in found.items()
        if version is not None and _is_comparable(settings, name, version)
    }


def _is_comparable(settings: Settings, name: str, version: int) -> bool:
    tells_rows_apart = {*table_named(name).keys, "created_at", "updated_at"}
    return tells_rows_apart.isdisjoint(lacking_columns(settings, name, version))


def outdated_tables(settings: Settings) -> set[str]:
    """By full name, the tables that lack a column of their model, and all that are made of such:
    they must be built anew."""
    present = versions_of(settings, built_tables())
    found = {name for name in present if present[name] is not None}
    found = {name for name in found if lacking_columns(settings, name)}
    for table in (table for stage in stages() for table in stage):
        if found.intersection(table.reads):
            found.add(table.full_name)
    return found


def add_missing_columns(session: SparkSession, settings: Settings, table: Table) -> None:
    """Give a table that is there the columns that its model has got since, as null.

    Sail replaces the rows of a table, never its columns.
    """
    path = str(table.path(settings.lake))
    if not DeltaTable.is_deltatable(path):
        return
    if lacking := lacking_columns(settings, table.full_name):
        ddl = ", ".join(f"{c.name} {c.type}" for c in table.columns if c.name in lacking)
        schema = session.createDataFrame([], ddl).toArrow().schema
        DeltaTable(path).alter.add_columns(list(Schema.from_arrow(schema).fields))


def is_from(table: Table, since: datetime) -> Column:
    """Whether a row speaks of a time from `since` on, or of the day or month that it lies in."""
    firsts = {"timestamp": since, "date": since.date(), "month": since.date().replace(day=1)}
    names = {column.name for column in table.columns}
    column = next(name for name in firsts if name in names)
    return F.col(column) >= F.lit(firsts[column])
