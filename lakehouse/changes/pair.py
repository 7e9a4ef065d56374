"""Two versions of a table, and the SQL that compares them row by row of the table's keys."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from deltalake import DeltaTable

from lakehouse.checkpoint_hints import version_as_of
from lakehouse.settings import Settings
from lakehouse.tables import registry
from lakehouse.time_travel import table_path

AUDIT = ("created_at", "updated_at")
NUMBERS = ("double", "float", "long", "integer", "short", "byte", "decimal")
FRACTIONS = ("double", "float")
# As in the builds (dbt/macros/changed_rows.sql): the last digits of a sum are no difference.
ROUNDING = "1e-12"


@dataclass(frozen=True)
class Pair:
    """Versions `a` and `b` of a table. Columns are numbered, for two may have any name."""

    settings: Settings
    table: str
    a: int
    b: int

    @cached_property
    def types(self) -> dict[str, str]:
        """Columns that both versions have, and their types in the later one."""
        path = str(table_path(self.settings, self.table))
        earlier, later = (DeltaTable(path, version=v).schema().fields for v in (self.a, self.b))
        names = {field.name for field in earlier}
        types = {field.name: field.type for field in later if field.name in names}
        return {name: str(getattr(kind, "type", kind)) for name, kind in types.items()}

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The registry's, with the values of a bronze candle; all columns of an unknown table."""
        known = registry().get(self.table)
        if known is None:
            return tuple(name for name in self.types if name not in AUDIT)
        if known.timeframe is None:
            return known.keys
        # What was said of a candle is what a row of bronze is.
        from lakehouse.landing import IDENTITY

        return IDENTITY

    @cached_property
    def values(self) -> tuple[str, ...]:
        return tuple(name for name in self.types if name not in (*self.keys, *AUDIT))

    def summary(self) -> str:
        """One row: the counts, and for each of `values` by its place how far it moved."""
        changed = " OR ".join(f"is_changed_{n}" for n in range(len(self.values))) or "false"
        counts = (
            "count(CASE WHEN is_before IS NULL THEN 1 END) AS added",
            "count(CASE WHEN is_after IS NULL THEN 1 END) AS removed",
            f"count(CASE WHEN {changed} THEN 1 END) AS changed",
        )
        figures = (figure for number in range(len(self.values)) for figure in self._figures(number))
        return f"SELECT {', '.join((*counts, *figures))} FROM ({self._joined()}) AS compared"

    def _figures(self, number: int) -> list[str]:
        moved = f"CASE WHEN is_changed_{number} THEN"
        figures = [f"count({moved} 1 END) AS changed_{number}"]
        if self.types[self.values[number]].startswith(NUMBERS):
            step = f"abs(CAST(after_{number} AS double) - before_{number})"
            share = f"{step} / nullif(abs(CAST(before_{number} AS double)), 0)"
            for name, term in (("step", step), ("share", share)):
                figures.append(f"avg({moved} {term} END) AS mean_{name}_{number}")
                figures.append(f"max({moved} {term} END) AS max_{name}_{number}")
        return figures

    def rows(self, limit: int) -> str:
        """The first rows that differ, with the values before and after."""
        is_different = " OR ".join(
            (
                "is_before IS NULL",
                "is_after IS NULL",
                *(f"is_changed_{number}" for number in range(len(self.values))),
            )
        )
        change = (
            "CASE WHEN is_before IS NULL THEN 'added' WHEN is_after IS NULL THEN 'removed' "
            "ELSE 'changed' END AS change"
        )
        order = ", ".join(f"key_{number}" for number in range(len(self.keys)))
        return (
            f"SELECT {change}, * FROM ({self._joined()}) AS compared "
            f"WHERE {is_different} ORDER BY {order} LIMIT {limit}"
        )

    def _joined(self) -> str:
        keys = [f"coalesce(b.`{n}`, a.`{n}`) AS key_{i}" for i, n in enumerate(self.keys)]
        columns = [
            column
            for number, name in enumerate(self.values)
            for column in self._column(number, name)
        ]
        on = " AND ".join(f"a.`{name}` <=> b.`{name}`" for name in self.keys)
        return (
            f"SELECT {', '.join(('a.is_there AS is_before', 'b.is_there AS is_after', *keys))}"
            f"{''.join(f', {column}' for column in columns)} "
            f"FROM {self._side(self.a)} AS a FULL OUTER JOIN {self._side(self.b)} AS b ON {on}"
        )

    def _side(self, version: int) -> str:
        cut = version_as_of(self.settings, self.table, version)
        return f"(SELECT *, true AS is_there FROM {self.table}{cut})"

    def _column(self, number: int, name: str) -> list[str]:
        differs = f"NOT a.`{name}` <=> b.`{name}`"
        if self.types[name] in FRACTIONS:
            size = f"greatest(abs(a.`{name}`), abs(b.`{name}`))"
            is_moved = f"abs(b.`{name}` - a.`{name}`) > {ROUNDING} * {size}"
            differs = f"{differs} AND coalesce({is_moved}, true)"
        is_changed = f"a.is_there AND b.is_there AND {differs}"
        return [
            f"a.`{name}` AS before_{number}",
            f"b.`{name}` AS after_{number}",
            f"coalesce({is_changed}, false) AS is_changed_{number}",
        ]
