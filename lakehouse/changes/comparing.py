"""What changed in a table between two of its versions, row by row of its keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pyspark.sql import SparkSession

from lakehouse.changes.pair import Pair
from lakehouse.settings import Settings
from lakehouse.time_travel import resolve_version


@dataclass(frozen=True, slots=True)
class ColumnChange:
    """A column whose values moved in rows that both versions have.

    Steps are absolute differences, in the column's unit; shares are steps divided by the value
    before, where that is not 0. Both are over the changed values; None where there are no numbers.
    """

    column: str
    changed: int
    mean_step: float | None = None
    max_step: float | None = None
    mean_share: float | None = None
    max_share: float | None = None


@dataclass(frozen=True, slots=True)
class TableChanges:
    """Rows by their keys: in the later version only, in the earlier only, in both but different."""

    table: str
    before: int
    after: int
    added: int = 0
    removed: int = 0
    changed: int = 0
    columns: tuple[ColumnChange, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.added or self.removed or self.changed)


def table_changes(
    session: SparkSession, settings: Settings, table: str, a: int, b: int
) -> TableChanges:
    """What version `b` of the table has that version `a` has not, in one query.

    `created_at` and `updated_at` do not count. Raises UnknownTable, UnknownVersion or VersionGone.
    """
    for version in (a, b):
        resolve_version(settings, table, version, None)
    if a == b:
        return TableChanges(table, a, b)
    pair = Pair(settings, table, a, b)
    found = session.sql(pair.summary()).toArrow().to_pylist()[0]
    columns = (_column_change(found, number, name) for number, name in enumerate(pair.values))
    moved = tuple(column for column in columns if column.changed)
    return TableChanges(table, a, b, found["added"], found["removed"], found["changed"], moved)


def changed_rows(
    session: SparkSession, settings: Settings, table: str, a: int, b: int, limit: int
) -> list[dict[str, Any]]:
    """The first rows that differ, in the order of their keys.

    Each has `change` (added, removed or changed), the keys, and `values`: of each column that moved
    the value before and after.
    """
    if a == b or limit == 0:
        return []
    pair = Pair(settings, table, a, b)
    return [_changed_row(row, pair) for row in session.sql(pair.rows(limit)).toArrow().to_pylist()]


def _column_change(found: dict[str, Any], number: int, name: str) -> ColumnChange:
    figures = ("mean_step", "max_step", "mean_share", "max_share")
    known = {figure: found.get(f"{figure}_{number}") for figure in figures}
    return ColumnChange(name, found[f"changed_{number}"], **known)


def _changed_row(row: dict[str, Any], pair: Pair) -> dict[str, Any]:
    return {
        "change": row["change"],
        **{name: row[f"key_{number}"] for number, name in enumerate(pair.keys)},
        "values": {
            name: (row[f"before_{number}"], row[f"after_{number}"])
            for number, name in enumerate(pair.values)
            if row[f"is_changed_{number}"]
        },
    }
