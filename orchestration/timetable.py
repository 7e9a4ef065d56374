"""The timetable of daily runs: each is for one UTC day, and begins an hour after it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction
from airflow.timetables.interval import CronDataIntervalTimetable
from pendulum import DateTime

MIDNIGHT = "0 0 * * *"


class EachDay(CronDataIntervalTimetable):
    """Data intervals from midnight to midnight UTC; a run is due at 01:00 after its day.

    A cron expression of `0 1 * * *` would make the interval itself begin at 01:00. Exchanges go on
    correcting their last candles for some minutes, hence the hour.
    """

    due_after = timedelta(hours=1)

    def __init__(self) -> None:
        super().__init__(MIDNIGHT, "UTC")
        self.description = "Every day at 01:00 UTC, for the day before"

    @property
    def summary(self) -> str:
        return "01:00 UTC, for the day before"

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        found = super().next_dagrun_info(
            last_automated_data_interval=last_automated_data_interval, restriction=restriction
        )
        return found and found._replace(run_after=found.run_after + self.due_after)

    def infer_manual_data_interval(self, *, run_after: DateTime) -> DataInterval:
        """The day that a run by hand is given as its date; while that one lasts, the day before."""
        start = self._align_to_prev(run_after)
        if self._get_next(start) > datetime.now(UTC):
            start = self._get_prev(start)
        return DataInterval(start=start, end=self._get_next(start))

    def serialize(self) -> dict[str, Any]:
        return {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> EachDay:
        return cls()
