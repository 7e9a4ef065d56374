"""Each UTC day has one run; it is due at 01:00 after the day, and a run by hand names its day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import pendulum
import pytest
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction

from orchestration.timetable import EachDay

ALWAYS = TimeRestriction(pendulum.datetime(2026, 1, 1), None, catchup=True)


def runs() -> Any:
    last: DataInterval | None = None
    while info := EachDay().next_dagrun_info(last_automated_data_interval=last, restriction=ALWAYS):
        yield info
        last = info.data_interval


def interval(info: DagRunInfo) -> tuple[str, str]:
    assert info.data_interval
    return info.data_interval.start.isoformat(), info.data_interval.end.isoformat()


def test_days_follow_each_other_without_gap_and_are_due_an_hour_after() -> None:
    first, second = islice(runs(), 2)
    assert interval(first) == ("2026-01-01T00:00:00+00:00", "2026-01-02T00:00:00+00:00")
    assert interval(second) == ("2026-01-02T00:00:00+00:00", "2026-01-03T00:00:00+00:00")
    assert first.run_after.isoformat() == "2026-01-02T01:00:00+00:00"


def test_without_catching_up_the_first_run_is_of_the_last_complete_day() -> None:
    since = TimeRestriction(pendulum.datetime(2020, 1, 1), None, catchup=False)
    info = EachDay().next_dagrun_info(last_automated_data_interval=None, restriction=since)
    assert info is not None
    assert info.data_interval
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    assert info.data_interval.end == today


def test_no_day_is_due_that_begins_after_the_end() -> None:
    until = TimeRestriction(ALWAYS.earliest, pendulum.datetime(2025, 12, 1), catchup=True)
    assert EachDay().next_dagrun_info(last_automated_data_interval=None, restriction=until) is None


@pytest.mark.parametrize(
    ("date", "day"),
    [("2026-03-02T00:00:00", "2026-03-02"), ("2026-03-02T17:30:00", "2026-03-02")],
)
def test_a_run_by_hand_is_for_the_day_of_its_date(date: str, day: str) -> None:
    moment = pendulum.parse(date, tz="UTC")
    assert isinstance(moment, pendulum.DateTime)
    found = EachDay().infer_manual_data_interval(run_after=moment)
    assert found.start == pendulum.parse(day, tz="UTC")
    assert found.end - found.start == timedelta(days=1)


def test_a_run_by_hand_without_a_date_is_for_yesterday() -> None:
    found = EachDay().infer_manual_data_interval(run_after=pendulum.now("UTC"))
    assert found.end == pendulum.today("UTC")


def test_the_timetable_survives_being_stored() -> None:
    assert EachDay.deserialize(EachDay().serialize()) == EachDay()
