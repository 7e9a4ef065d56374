"""The point-in-time join: for each label what a model could have known at the label's time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession

from lakehouse.errors import InvalidQuery
from lakehouse.knowledge.history import (
    HISTORY,
    equal,
    history_sql,
    knowledge_cut,
    remembered,
    values_of,
)
from lakehouse.settings import Settings
from lakehouse.snapshots import Cut
from lakehouse.tables import Table
from lakehouse.timeframes import step

FEATURES = "silver.market_data_enriched"
OPENED, KNOWN = "feature_at", "feature_known_at"


@dataclass(frozen=True, slots=True)
class FeatureRequest:
    """What is joined to the labels: see features_as_of."""

    table: str = FEATURES
    timeframe: str = "1h"
    at: str = "label_at"
    by: tuple[str, ...] = ("asset_pair",)
    known_at_close: bool = False


def features_as_of(
    session: SparkSession, settings: Settings, labels: DataFrame, request: FeatureRequest
) -> DataFrame:
    """Each row of `labels` with the features of one candle, or nulls where there is none.

    The candle is the latest of the label's asset that had closed by its time (`at`, UTC) and was
    known then; its values are those known then. What became known exactly then counts.

    Columns: those of the labels; `feature_at`, the candle's opening time; `feature_known_at`, from
    when the values could be used; the table's values under their own names. `known_at_close` as in
    point_in_time. `by` may have `timeframe`, too: then each label names its own.

    The labels are read three times: they must not be random. Raises InvalidQuery where a label
    column is missing or has the name of a feature, UnknownTimeframe, UnknownTable.
    """
    query = features_sql(settings, "SELECT * FROM {labels}", labels.columns, request)
    return session.sql(query, labels=labels)


def features_sql(
    settings: Settings,
    labels: str,
    columns: Sequence[str],
    request: FeatureRequest,
    cut: Cut | None = None,
) -> str:
    """The query for it; `labels` is a query, `columns` are its columns."""
    table = remembered(request.table)
    cut = knowledge_cut(settings, request.table, cut)
    features = _features(table, request)
    _check(table, columns, features, request)
    timeframe = None if "timeframe" in request.by else request.timeframe
    by = ", ".join(f"`{name}`" for name in request.by)
    at = f"CAST(`{request.at}` AS timestamp)"
    chosen = ", ".join(f"h.`{name}` AS `{shown}`" for name, shown in features.items())
    return f"""WITH lakehouse_labels AS ({labels}),
{history_sql(table, cut, request.known_at_close, timeframe)},
lakehouse_asked AS (
    SELECT DISTINCT {by}, {at} AS moment FROM lakehouse_labels WHERE `{request.at}` IS NOT NULL
),
{_steady(request.by, by)},
{_interrupted(request.by)},
lakehouse_found AS (
    SELECT s.*, greatest(s.steady, i.interrupted) AS candle
    FROM lakehouse_steady AS s
    LEFT JOIN lakehouse_interrupted AS i
        ON {equal("s", "i", (*request.by, "moment"))}
),
lakehouse_features AS (
    SELECT f.moment, {", ".join(f"f.`{name}`" for name in request.by)}, {chosen}
    FROM lakehouse_found AS f
    INNER JOIN {HISTORY} AS h
        ON {equal("f", "h", request.by)} AND f.candle = h.`timestamp` AND {_known("h", "f.moment")}
)
SELECT l.*, {", ".join(f"f.`{shown}`" for shown in features.values())}
FROM lakehouse_labels AS l
LEFT JOIN lakehouse_features AS f
    ON {equal("l", "f", request.by)} AND CAST(l.`{request.at}` AS timestamp) = f.moment"""


def _steady(names: Sequence[str], by: str) -> str:
    """For each moment asked for, the latest usable candle among those never withdrawn.

    Once usable, such a candle stays so, in one value or another: a running maximum finds it.
    """
    return f"""lakehouse_events AS (
    SELECT {by}, usable_from AS moment, `timestamp` AS candle, 0 AS is_asked
    FROM {HISTORY} WHERE NOT is_interrupted
    UNION ALL
    SELECT {by}, moment, CAST(NULL AS timestamp) AS candle, 1 AS is_asked FROM lakehouse_asked
),
lakehouse_steady AS (
    SELECT {by}, moment, steady
    FROM (
        SELECT *, max(candle) OVER (
            PARTITION BY {by} ORDER BY moment, is_asked
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS steady
        FROM lakehouse_events
    )
    WHERE is_asked = 1
)"""


def _interrupted(names: Sequence[str]) -> str:
    """The same among the few that were withdrawn at some time: each is held against each moment."""
    by = ", ".join(f"a.`{name}`" for name in names)
    return f"""lakehouse_interrupted AS (
    SELECT {by}, a.moment, max(h.`timestamp`) AS interrupted
    FROM lakehouse_asked AS a
    INNER JOIN {HISTORY} AS h
        ON {equal("a", "h", names)} AND h.is_interrupted AND {_known("h", "a.moment")}
    GROUP BY {by}, a.moment
)"""


def _known(row: str, moment: str) -> str:
    until = f"{row}.known_until"
    return f"{row}.usable_from <= {moment} AND ({until} IS NULL OR {until} > {moment})"


def _features(table: Table, request: FeatureRequest) -> dict[str, str]:
    """Columns of the history and what they are called in the answer."""
    keys = (*table.keys, *request.by)
    values = {name: name for name in values_of(table) if name not in keys}
    return {"timestamp": OPENED, "usable_from": KNOWN, **values}


def _check(
    table: Table, columns: Sequence[str], features: dict[str, str], request: FeatureRequest
) -> None:
    step(request.timeframe)
    wrong = [name for name in request.by if name not in table.keys or name == "timestamp"]
    if wrong or not request.by:
        named = ", ".join(wrong) or "nothing"
        problem = f"labels can be joined by asset_pair and timeframe, not by {named}."
        raise InvalidQuery(problem=problem)
    present = {name.lower() for name in columns}
    for name in (request.at, *request.by):
        if name.lower() not in present:
            problem = f"the labels have no column {name}; they have {', '.join(columns)}."
            raise InvalidQuery(problem=problem)
    if taken := sorted(present & set(features.values())):
        problem = f"the labels have columns named like features: {', '.join(taken)}. Rename them."
        raise InvalidQuery(problem=problem)
