"""Functions of SQL that an engine is known to answer wrongly: refused, rather than believed.

Each is tried on the engine itself, so whoever answers rightly is asked; nothing is tried where a
query names none of them. docs/engines.md has the whole list of differences.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pyspark.sql import SparkSession

from lakehouse.errors import InvalidQuery

# What is no call of a function: texts, quoted names, comments.
QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`[^`]*`|--[^\n]*|/\*.*?\*/", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Doubtful:
    """A call as it is found in a query, a trial of it with its right answer, and a way round."""

    call: re.Pattern[str]
    name: str
    trial: str
    answer: str
    instead: str


def _doubtful(call: str, name: str, trial: str, answer: str, instead: str) -> Doubtful:
    return Doubtful(re.compile(call, re.IGNORECASE), name, trial, answer, instead)


# 2026-03-01 was a Sunday: the last day from Monday on, which is 0, and the first of Spark's week.
DOUBTFUL = (
    _doubtful(
        r"\bweekday\s*\(",
        "weekday()",
        "weekday(date'2026-03-01')",
        "6",
        "dayofweek(), 1 on Sundays",
    ),
    _doubtful(
        r"\bextract\s*\(\s*dow\b",
        "extract(dow …)",
        "extract(dow from date'2026-03-01')",
        "1",
        "dayofweek(), 1 on Sundays",
    ),
    _doubtful(r"\bbround\s*\(", "bround()", "bround(2.5)", "2", "round(), which rounds 0.5 up"),
)


def refuse_wrong_answers(session: SparkSession, query: str) -> None:
    """Raises InvalidQuery if the query calls what the session's engine answers wrongly."""
    code = QUOTED.sub("''", query)
    for doubtful in DOUBTFUL:
        if doubtful.call.search(code) and not _is_right(session, doubtful):
            wrong = f"this engine answers {doubtful.name} wrongly. Use {doubtful.instead}"
            raise InvalidQuery(problem=f"{wrong}, or run it on Spark: LAKEHOUSE__ENGINE=spark.")


def _is_right(session: SparkSession, doubtful: Doubtful) -> bool:
    (row,) = session.sql(f"SELECT {doubtful.trial}").collect()
    return str(row[0]) == doubtful.answer
