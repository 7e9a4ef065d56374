"""Asking the lake in SQL, at one cut over all tables and with the forms of knowledge time."""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import DataFrame, SparkSession

from lakehouse.knowledge import with_knowledge
from lakehouse.settings import Settings
from lakehouse.snapshots import make_cut, read_at
from lakehouse.wrong_answers import refuse_wrong_answers


def run_query(
    session: SparkSession,
    settings: Settings,
    query: str,
    as_of: datetime | None = None,
    release: str | None = None,
) -> DataFrame:
    """The query's answer, with every lake table read as of a time or release if one is given.

    A query without these and without `point_in_time` or `features_as_of` goes to the engine as it
    is, unless that one would answer it wrongly. Raises InvalidQuery, UnknownTable,
    BeforeFirstVersion, VersionGone, UnknownRelease, ReleaseGone or NotInRelease.
    """
    refuse_wrong_answers(session, query)
    cut = make_cut(settings, as_of, release)
    return session.sql(read_at(with_knowledge(session, settings, query, cut), cut))
