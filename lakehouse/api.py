"""The lakehouse in Python: `from lakehouse import Lakehouse`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from lakehouse import delta, knowledge, maintenance, queries, time_travel
from lakehouse.engine import connect
from lakehouse.settings import Settings, load_settings


class Lakehouse:
    """The tables of one lake, read and written through its engine.

    The engine starts with the first call that needs it. Table names are full, e.g.
    `gold.mart_daily_metrics`. Every method raises UnknownTable for a name the lake does not hold.
    """

    def __init__(self, settings: Settings | None = None, session: SparkSession | None = None):
        self.settings = settings or load_settings()
        if session is not None:
            self.__dict__["session"] = session

    @cached_property
    def session(self) -> SparkSession:
        return connect(self.settings)

    def sql(
        self, query: str, as_of: datetime | None = None, release: str | None = None
    ) -> DataFrame:
        """The query's answer, with every lake table as it was at a time (UTC) or in a release.

        `point_in_time(…)` and `features_as_of(…)` may stand in FROM: see docs/knowledge.md. Raises
        InvalidQuery, BeforeFirstVersion, VersionGone, UnknownRelease, ReleaseGone or NotInRelease.
        """
        return queries.run_query(self.session, self.settings, query, as_of, release)

    def read_table(
        self,
        name: str,
        version: int | None = None,
        as_of_timestamp: datetime | None = None,
        release: str | None = None,
    ) -> DataFrame:
        """The table now, at a version, as it was at a time (UTC), or in a release.

        Raises InvalidQuery for more than one of these, UnknownVersion, VersionGone,
        BeforeFirstVersion, UnknownRelease, ReleaseGone or NotInRelease.
        """
        return time_travel.read(
            self.session, self.settings, name, version, as_of_timestamp, release
        )

    def point_in_time(
        self, table: str, moment: datetime, *, known_at_close: bool = False
    ) -> DataFrame:
        """The rows of the table as they were known at a time (UTC).

        With `known_at_close` the first value of a candle counts as known when the candle closed.
        Raises InvalidQuery or BeforeFirstVersion.
        """
        return knowledge.point_in_time(
            self.session, self.settings, table, moment, known_at_close=known_at_close
        )

    def features_as_of(
        self,
        labels: DataFrame,
        table: str = knowledge.FEATURES,
        timeframe: str = "1h",
        at: str = "label_at",
        by: Sequence[str] = ("asset_pair",),
        *,
        known_at_close: bool = False,
    ) -> DataFrame:
        """Each label with the features of the latest candle known at its time, as known then.

        The labels' columns, `feature_at`, `feature_known_at`, then the table's values; null where
        nothing was known. Raises InvalidQuery or UnknownTimeframe.
        """
        request = knowledge.FeatureRequest(table, timeframe, at, tuple(by), known_at_close)
        return knowledge.features_as_of(self.session, self.settings, labels, request)

    def get_table_history(self, name: str, limit: int | None = None) -> list[time_travel.Version]:
        """Versions of the table, newest first."""
        return time_travel.history(self.settings, name, limit)

    def merge_upsert(
        self,
        df: DataFrame,
        table: str,
        merge_keys: Sequence[str],
        update_columns: Sequence[str] | None = None,
    ) -> int:
        """Update rows whose keys are equal, insert the others; the number of rows changed.

        `update_columns` of None updates every column. Raises WriteConflict.
        """
        time_travel.table_path(self.settings, table)
        return delta.upsert(df, table, merge_keys, update_columns)

    def optimize_table(
        self, table: str, zorder_columns: Sequence[str] | None = None
    ) -> dict[str, Any]:
        """Compact the table's files, ordered by `zorder_columns` if given."""
        return maintenance.optimize(self.settings, table, zorder_columns)

    def vacuum_table(
        self, table: str, retention_hours: float = 720, *, allow_short_retention: bool = False
    ) -> list[str]:
        """Remove files that only versions older than `retention_hours` need; their names.

        Raises InvalidRetention below the table's safe retention without `allow_short_retention`.
        """
        return maintenance.vacuum(
            self.settings, table, retention_hours, allow_short=allow_short_retention
        )
