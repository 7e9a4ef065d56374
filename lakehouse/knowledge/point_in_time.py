"""What the lakehouse knew at a time."""

from __future__ import annotations

from datetime import UTC, datetime

from pyspark.sql import DataFrame, SparkSession

from lakehouse.checkpoint_hints import version_as_of
from lakehouse.errors import InvalidQuery
from lakehouse.knowledge.history import (
    HISTORY,
    SUPERSEDED,
    at,
    closed_at,
    history_sql,
    knowledge_cut,
    values_of,
)
from lakehouse.settings import Settings
from lakehouse.snapshots import Cut, make_cut
from lakehouse.tables import Table, registry
from lakehouse.time_travel import table_path


def point_in_time(
    session: SparkSession,
    settings: Settings,
    table: str,
    moment: datetime,
    *,
    known_at_close: bool = False,
) -> DataFrame:
    """The rows of the table as they were known at a time (UTC).

    Silver's candles: the values known then, of candles closed by then; the table's columns without
    `created_at` and `updated_at`, and `known_from`. Bronze candles: the versions ingested by then,
    of candles closed by then. Any other table: the version that was current.

    `known_at_close` is for histories that were landed later: the first value of a candle counts as
    known when the candle closed. Corrections still count from when they were learnt.

    Raises UnknownTable, BeforeFirstVersion, or InvalidQuery for `known_at_close` with a table that
    does not hold candles.
    """
    return session.sql(point_in_time_sql(settings, table, moment, known_at_close))


def point_in_time_sql(
    settings: Settings,
    table: str,
    moment: datetime,
    known_at_close: bool = False,
    cut: Cut | None = None,
) -> str:
    """The query for it; see point_in_time. `cut` hides what the lakehouse learnt after it."""
    table_path(settings, table)
    cut = knowledge_cut(settings, table, cut)
    known = registry().get(table)
    if known is not None and table in SUPERSEDED:
        return _of_silver(known, cut, moment, known_at_close)
    if known is not None and known.timeframe is not None:
        return _of_bronze(known, cut, moment, known_at_close)
    if known_at_close:
        raise InvalidQuery(problem=f"known_at_close is about candles, and {table} holds none.")
    versions = (make_cut(settings, as_of=moment).version_of(table), cut.version_of(table))
    version = min(number for number in versions if number is not None)
    return f"SELECT * FROM {table}{version_as_of(settings, table, version)}"


def time_sql(moment: datetime) -> str:
    """The time as an SQL literal; naive ones are UTC."""
    utc = moment.astimezone(UTC) if moment.tzinfo else moment
    return f"timestamp'{utc:%Y-%m-%d %H:%M:%S.%f}'"


def _of_silver(table: Table, cut: Cut, moment: datetime, known_at_close: bool) -> str:
    time = time_sql(moment)
    columns = ", ".join(f"`{name}`" for name in values_of(table))
    return (
        f"WITH {history_sql(table, cut, known_at_close)}\n"
        f"SELECT {columns}, known_from FROM {HISTORY} "
        f"WHERE usable_from <= {time} AND (known_until IS NULL OR known_until > {time})"
    )


def _of_bronze(table: Table, cut: Cut, moment: datetime, known_at_close: bool) -> str:
    time = time_sql(moment)
    columns = ", ".join(f"`{column.name}`" for column in table.columns)
    is_known = f"ingested_at <= {time}"
    candles = at(table.full_name, cut)
    if known_at_close:
        first = "min(ingested_at) OVER (PARTITION BY asset_pair, `timestamp`, provider)"
        candles = f"(SELECT *, {first} AS first_ingested_at FROM {candles})"
        is_known = f"({is_known} OR ingested_at = first_ingested_at)"
    return f"SELECT {columns} FROM {candles} WHERE {is_known} AND {closed_at()} <= {time}"
