from datetime import UTC, datetime, timedelta

import pytest

from lakehouse.backfill import BackfillRequest, make_request
from lakehouse.errors import (
    InvalidSetting,
    InvalidWindow,
    UnknownAsset,
    UnknownProvider,
    UnknownTimeframe,
)
from lakehouse.settings import Settings

NOW = datetime(2026, 3, 10, 15, 30, tzinfo=UTC)


def test_days_mean_the_last_complete_utc_days(settings: Settings) -> None:
    request = make_request(settings, assets=["BTCUSD"], days=7, now=NOW)
    assert request.start == datetime(2026, 3, 3, tzinfo=UTC)
    assert request.end == datetime(2026, 3, 10, tzinfo=UTC)


def test_from_without_to_reaches_up_to_now(settings: Settings) -> None:
    request = make_request(settings, assets=["BTCUSD"], start="2026-03-09", now=NOW)
    assert (request.start, request.end) == (datetime(2026, 3, 9, tzinfo=UTC), NOW)


def test_a_range_does_not_reach_into_the_future(settings: Settings) -> None:
    request = make_request(
        settings, assets=["BTCUSD"], start="2026-03-09", end="2027-01-01", now=NOW
    )
    assert request.end == NOW


def test_another_offset_is_turned_into_utc(settings: Settings) -> None:
    request = make_request(settings, assets=["BTCUSD"], start="2026-03-09T02:00+02:00", now=NOW)
    assert request.start == datetime(2026, 3, 9, tzinfo=UTC)


def test_a_request_survives_being_stored_as_json(settings: Settings) -> None:
    request = make_request(settings, assets=["BTCUSD"], timeframes=["1h"], days=2, now=NOW)
    assert BackfillRequest.from_json(request.to_json()) == request


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"assets": ["NOPE"]}, UnknownAsset, "Unknown asset NOPE. Known assets: BTCUSD"),
        ({"timeframes": ["2m"]}, UnknownTimeframe, "Unknown timeframe 2m"),
        ({"provider": "nyse"}, UnknownProvider, "Unknown provider nyse"),
        ({"days": -3}, InvalidWindow, "--days must be 1 or more, not -3"),
        ({"days": 2, "start": "2026-01-01"}, InvalidWindow, "exclude each other"),
        ({"start": "yesterday"}, InvalidWindow, "'yesterday' is not a time"),
        ({"end": "2026-01-01"}, InvalidWindow, "--to needs --from"),
        ({"start": "2026-03-02", "end": "2026-03-01"}, InvalidWindow, "before it starts"),
        ({"window": "1 day"}, InvalidWindow, "is not a length like"),
        ({"concurrency": 1000}, InvalidSetting, "between 1 and 64"),
    ],
)
def test_a_wrong_request_is_named_before_anything_runs(
    settings: Settings, wrong: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        make_request(settings, **{"assets": ["BTCUSD"], "now": NOW, **wrong})


def test_a_window_is_read_with_its_unit(settings: Settings) -> None:
    request = make_request(settings, assets=["BTCUSD"], days=1, window="6h", now=NOW)
    assert request.window == timedelta(hours=6)
