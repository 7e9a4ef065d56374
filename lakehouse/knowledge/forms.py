"""Knowledge in SQL: `point_in_time(…)` and `features_as_of(…)` in FROM position become queries.

point_in_time('silver.market_data_enriched', '2026-01-03T05:00' [, known_at_close => true])
features_as_of((select … ) | name [, at => 'label_at'] [, timeframe => '1h']
    [, by => 'asset_pair'] [, features => '…'] [, known_at_close => true])
"""

from __future__ import annotations

import re
from typing import Any

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from lakehouse.errors import InvalidQuery
from lakehouse.knowledge.features import FeatureRequest, features_sql
from lakehouse.knowledge.point_in_time import point_in_time_sql
from lakehouse.moments import parse_moment
from lakehouse.settings import Settings
from lakehouse.snapshots import Cut, read_at
from lakehouse.statements import Call, Statement, literal, replaced

# Whether a query is worth parsing.
MENTIONED = re.compile(r"\b(point_in_time|features_as_of)\s*\(", re.IGNORECASE)
OPTIONS: dict[str, dict[str, type]] = {
    "point_in_time": {"known_at_close": bool},
    "features_as_of": {
        "at": str,
        "timeframe": str,
        "by": str,
        "features": str,
        "known_at_close": bool,
    },
}


def with_knowledge(session: SparkSession, settings: Settings, query: str, cut: Cut) -> str:
    """The query with these calls replaced by what they mean at the cut of the whole query.

    Raises InvalidQuery, and what the functions of the same names raise.
    """
    while MENTIONED.search(query):
        calls = Statement(query).calls(OPTIONS)
        if not calls:
            break
        meant = _meant(session, settings, calls[0], cut)
        query = replaced(query, calls[0].start, calls[0].end, f"({meant})")
    return query


def _meant(session: SparkSession, settings: Settings, call: Call, cut: Cut) -> str:
    _check(call)
    if call.name == "point_in_time":
        if len(call.arguments) != 2:
            raise InvalidQuery(problem="point_in_time needs a table and a time.")
        table, moment = (literal(text) for text in call.arguments)
        at_close = call.options.get("known_at_close", False)
        at = parse_moment(moment, "point_in_time")
        return point_in_time_sql(settings, table.lower(), at, at_close, cut)
    if len(call.arguments) != 1:
        raise InvalidQuery(problem="features_as_of needs a query in brackets, or a table.")
    text = call.arguments[0]
    labels = f"SELECT * FROM {text}" + (" AS labels" if text.startswith("(") else "")
    columns = _columns(session, read_at(f"{call.context}{labels}", cut))
    return features_sql(settings, labels, columns, _request(call.options), cut)


def _columns(session: SparkSession, query: str) -> list[str]:
    try:
        return session.sql(query).columns
    except PySparkException as error:
        problem = f"the labels of features_as_of: {str(error).splitlines()[0]}"
        raise InvalidQuery(problem=problem) from error


def _request(options: dict[str, Any]) -> FeatureRequest:
    fields = {("table" if name == "features" else name): v for name, v in options.items()}
    if "by" in fields:
        fields["by"] = tuple(name.strip() for name in fields["by"].split(","))
    return FeatureRequest(**fields)


def _check(call: Call) -> None:
    known = OPTIONS[call.name]
    for name, value in call.options.items():
        if name not in known:
            problem = f"{call.name} has no option {name}; it has {', '.join(known)}."
            raise InvalidQuery(problem=problem)
        if not isinstance(value, known[name]):
            wanted = "true or false" if known[name] is bool else "a text in quotes"
            raise InvalidQuery(problem=f"{name} of {call.name} must be {wanted}.")
