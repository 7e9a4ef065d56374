"""What the forms of Airflow's DAGs ask for, as the jobs understand it; no engine needed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from lakehouse.backfill import make_request
from lakehouse.errors import InvalidWindow, UnknownAsset, UnknownDeadLetter
from lakehouse.settings import Settings
from spark_jobs import bronze_dead_letters, bronze_market_data
from tests.dead_letters.test_queue import letter

AT = datetime(2026, 3, 5, 14, 30, tzinfo=UTC)


def form(**changes: Any) -> dict[str, Any]:
    return {
        "assets": ["BTCUSD", "ETHUSD"],
        "timeframes": ["1h"],
        "days": 2,
        "from": None,
        "to": None,
        "provider": "simulated",
        "force": False,
        **changes,
    }


def test_days_count_back_from_when_the_run_was_triggered_in_every_try(settings: Settings) -> None:
    btc, eth = bronze_market_data.wanted(settings, form(), AT)
    assert (btc["assets"], eth["assets"]) == (["BTCUSD"], ["ETHUSD"])
    request = make_request(settings, **btc)
    assert request.start == datetime(2026, 3, 3, tzinfo=UTC)
    assert request.end == datetime(2026, 3, 5, tzinfo=UTC)


def test_from_takes_the_place_of_days(settings: Settings) -> None:
    dates = {"from": "2026-02-01T00:00:00Z", "to": "2026-02-02T00:00:00Z"}
    wanted, _ = bronze_market_data.wanted(settings, form(**dates), AT)
    request = make_request(settings, **wanted)
    assert request.start == datetime(2026, 2, 1, tzinfo=UTC)
    assert request.end == datetime(2026, 2, 2, tzinfo=UTC)


def test_without_days_or_from_what_is_missing_is_wanted(settings: Settings) -> None:
    wanted, _ = bronze_market_data.wanted(settings, form(days=None), AT)
    assert make_request(settings, **wanted).start is None


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"assets": ["FOO"]}, UnknownAsset),
        ({"days": None, "to": "2026-02-02T00:00:00Z"}, InvalidWindow),
    ],
)
def test_a_wrong_form_is_refused(
    settings: Settings, changes: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        bronze_market_data.wanted(settings, form(**changes), AT)


def filters(**changes: Any) -> dict[str, Any]:
    return {
        "letters": [],
        "table": None,
        "reason": None,
        "since": None,
        "limit": 100,
        **changes,
    }


def test_letters_are_chosen_by_name_or_by_what_they_say(settings: Settings) -> None:
    letter(settings.lake, 0, error="high < low")
    letter(settings.lake, 1, error="volume < 0")

    def names(**changes: Any) -> list[str]:
        found = bronze_dead_letters.chosen(settings, filters(**changes))
        return [one.name[-8:] for one in found]

    assert names() == ["00000001", "00000000"]
    assert names(reason="volume") == names(limit=1) == ["00000001"]
    assert names(since="2026-03-02T06:30:00Z") == ["00000001"]
    assert names(letters=["00000000"]) == ["00000000"]
    assert names(table="bronze.raw_market_data_1d") == []
    with pytest.raises(UnknownDeadLetter):
        names(letters=["12345678"])


def test_no_letter_needs_no_engine(settings: Settings) -> None:
    assert bronze_dead_letters.replay(settings, [])["letters"] == 0
