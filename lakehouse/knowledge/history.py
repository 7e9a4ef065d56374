"""The whole history of silver's candles as SQL: which value was known from when until when.

A table of candles holds the present values; its companion keeps those that were replaced or
withdrawn. What is in the companion is rare, so the work beside one reading of the table follows
the corrections, not the candles.
"""

from __future__ import annotations

from collections.abc import Sequence

from lakehouse.checkpoint_hints import version_as_of
from lakehouse.errors import InvalidQuery
from lakehouse.model_columns import lacking_columns
from lakehouse.releases import latest_release
from lakehouse.settings import Settings
from lakehouse.snapshots import Cut, make_cut
from lakehouse.tables import Table, table_named
from lakehouse.time_travel import tables_on_disk
from lakehouse.timeframes import TIMEFRAMES

SUPERSEDED = {"silver.market_data_enriched": "silver.market_data_superseded"}
AUDIT = ("created_at", "updated_at")
HISTORY = "lakehouse_history"


def remembered(name: str) -> Table:
    """The table of candles whose replaced values are kept. Raises InvalidQuery for another."""
    if name in SUPERSEDED:
        return table_named(name)
    problem = f"of {name} no replaced values are kept; they are of {', '.join(SUPERSEDED)}."
    raise InvalidQuery(problem=problem)


def knowledge_cut(settings: Settings, table: str, cut: Cut | None = None) -> Cut:
    """The cut at which a table and its companion are read: the one given, else the default one.

    Where that is the present, it is the latest release: a build replaces one after the other, and
    what no release has is not yet known.
    """
    cut = cut or make_cut(settings)
    latest = latest_release(settings) if cut.is_present and table in SUPERSEDED else None
    if latest and {table, SUPERSEDED[table]} <= latest.versions.keys():
        return Cut(settings, release=latest.name)
    return cut


def at(table: str, cut: Cut) -> str:
    """The table as the cut has it. Raises what Cut.version_of raises."""
    version = cut.version_of(table)
    return table if version is None else table + version_as_of(cut.settings, table, version)


def values_of(table: Table) -> list[str]:
    """The columns that a candle's history has."""
    return [column.name for column in table.columns if column.name not in AUDIT]


def history_sql(table: Table, cut: Cut, known_at_close: bool, timeframe: str | None = None) -> str:
    """Common table expressions, the last of which is HISTORY.

    Its columns: those of the table without its audit columns; `known_from` and `known_until`, the
    half-open time in which the value was known, null for one that still is; `usable_from`, which
    is not before the candle closed; `is_interrupted`: the candle was withdrawn at some time.
    With `known_at_close` the first value of a candle is usable from its close. Where the companion
    is not built, a value counts from its last change. Raises what Cut.version_of raises.
    """
    columns = ", ".join(f"`{name}`" for name in values_of(table))
    keys = ", ".join(f"`{key}`" for key in table.keys)
    of_timeframe = f" WHERE timeframe = '{timeframe}'" if timeframe else ""
    is_first = "is_first OR" if known_at_close else ""
    return f"""
lakehouse_present AS (
    SELECT {_told_at(table, table.full_name, cut)}, updated_at AS known_from,
        CAST(NULL AS timestamp) AS known_until,
        created_at = updated_at AS is_first, 1 AS is_present
    FROM {at(table.full_name, cut)}{of_timeframe}
),
lakehouse_replaced AS ({_replaced(table, cut)}{of_timeframe}),
lakehouse_touched AS (SELECT DISTINCT {keys} FROM lakehouse_replaced),
lakehouse_versions AS (
    SELECT *, lead(known_from) OVER ({_by(keys)}) AS next_from,
        row_number() OVER ({_by(keys)}) AS place
    FROM (
        SELECT * FROM lakehouse_replaced
        UNION ALL
        SELECT p.* FROM lakehouse_present AS p
        LEFT SEMI JOIN lakehouse_touched AS t ON {equal("p", "t", table.keys)}
    )
),
lakehouse_told AS (
    SELECT {columns}, known_from, known_until, is_first AND place = 1 AS is_first,
        max(CASE WHEN next_from = known_until OR known_until IS NULL THEN 0 ELSE 1 END)
            OVER (PARTITION BY {keys}) = 1 AS is_interrupted
    FROM lakehouse_versions
    -- A rollback that died leaves a copy of what is present again.
    WHERE next_from IS NULL OR next_from > known_from
    UNION ALL
    SELECT {columns}, known_from, known_until, is_first, false AS is_interrupted
    FROM lakehouse_present AS p
    LEFT ANTI JOIN lakehouse_touched AS t ON {equal("p", "t", table.keys)}
),
{HISTORY} AS (
    SELECT {columns}, known_from, known_until, is_interrupted,
        CASE WHEN {is_first} known_from < closed_at THEN closed_at ELSE known_from END
            AS usable_from
    FROM (SELECT *, {closed_at()} AS closed_at FROM lakehouse_told)
)"""


def _told_at(table: Table, name: str, cut: Cut) -> str:
    """The history's columns as the table of that name has them at the cut: null for one that it got
    later."""
    lacking = lacking_columns(cut.settings, name, cut.version_of(name))
    types = {column.name: column.type for column in table.columns}
    return ", ".join(
        f"CAST(NULL AS {types[name]}) AS `{name}`" if name in lacking else f"`{name}`"
        for name in values_of(table)
    )


def _replaced(table: Table, cut: Cut) -> str:
    companion = SUPERSEDED[table.full_name]
    if companion in tables_on_disk(cut.settings):
        return (
            f"SELECT {_told_at(table, companion, cut)}, known_from, known_until, is_first, "
            f"0 AS is_present FROM {at(companion, cut)}"
        )
    return "SELECT * FROM (SELECT * FROM lakehouse_present LIMIT 0)"


def _by(keys: str) -> str:
    return f"PARTITION BY {keys} ORDER BY known_from, is_present"


def equal(a: str, b: str, names: Sequence[str]) -> str:
    """SQL: the columns are equal in both."""
    return " AND ".join(f"{a}.`{name}` = {b}.`{name}`" for name in names)


def closed_at(timeframe: str = "timeframe", opened_at: str = "`timestamp`") -> str:
    """SQL: when the candle closed."""
    cases = (
        f"WHEN '{name}' THEN {opened_at} + INTERVAL {int(length.total_seconds()) // 60} MINUTES"
        for name, length in TIMEFRAMES.items()
    )
    return f"CASE {timeframe} {' '.join(cases)} END"
