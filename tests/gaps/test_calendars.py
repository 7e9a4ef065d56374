"""Which candles are expected, round the clock and on exchanges with nights and holidays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.errors import InvalidSetting, UnknownTimeframe
from lakehouse.gaps import calendars, expected_count, grid_of
from lakehouse.settings import Settings
from lakehouse.timeframes import TIMEFRAMES, expected_candles, step

utc = partial(datetime, tzinfo=UTC)
# Thanksgiving is the 27th; on the 28th New York closes at 18:00 UTC.
MONDAY, NEXT_MONDAY = utc(2025, 11, 24), utc(2025, 12, 1)


@pytest.mark.parametrize(
    ("calendar", "timeframe", "candles"),
    [
        ("24/7", "1m", 7 * 1440),
        ("24/7", "1d", 7),
        ("24/5", "1h", 5 * 24),
        ("XNYS", "1m", 3 * 390 + 210),
        ("XNYS", "1h", 3 * 7 + 4),  # 14:00 is open from half past
        ("XNYS", "4h", 3 * 3 + 2),
        ("XNYS", "1d", 4),
        ("XTKS", "1d", 4),
        ("XTKS", "1m", 4 * 330),  # with an hour for lunch
    ],
)
def test_a_week_has_as_many_candles_as_its_sessions(
    calendar: str, timeframe: str, candles: int
) -> None:
    assert calendars.grid(calendar, timeframe).count(MONDAY, NEXT_MONDAY) == candles


def test_the_candles_around_a_closed_day_are_neighbours() -> None:
    grid = calendars.grid("XNYS", "1h")
    assert grid.openings(utc(2025, 11, 26, 20), utc(2025, 11, 28, 15)) == [
        utc(2025, 11, 26, 20),
        utc(2025, 11, 28, 14),
    ]
    assert grid.opening(grid.index(utc(2025, 11, 27)) - 1) == utc(2025, 11, 26, 20)
    assert grid.count(utc(2025, 11, 27), utc(2025, 11, 28)) == 0


@given(
    calendar=st.sampled_from(["24/7", "24/5", "XNYS", "XTKS"]),
    timeframe=st.sampled_from(list(TIMEFRAMES)),
    minutes=st.integers(0, 60 * 24 * 365),
    index=st.integers(0, 5_000),
)
def test_times_and_numbers_agree(calendar: str, timeframe: str, minutes: int, index: int) -> None:
    grid = calendars.grid(calendar, timeframe)
    moment = utc(2025, 1, 1) + timedelta(minutes=minutes)
    following = grid.opening(grid.index(moment))
    assert following >= moment
    assert grid.opening(grid.index(moment) - 1) < moment
    assert (following - utc(1970, 1, 1)) % step(timeframe) == timedelta(0)
    assert grid.index(grid.opening(index)) == index


def test_round_the_clock_the_grid_is_that_of_the_timeframe(settings: Settings) -> None:
    start, end = utc(2026, 1, 5, 0, 30), utc(2026, 1, 7, 3)
    for timeframe in TIMEFRAMES:
        expected = expected_candles(timeframe, start, end)
        assert expected_count(settings, "BTCUSD", timeframe, start, end) == expected
    assert expected_count(settings, "BTCUSD", "1h", end, start) == 0


def test_before_the_first_session_and_after_the_last_nothing_is_expected() -> None:
    grid = calendars.grid("XNYS", "1d")
    assert grid.count(utc(1970, 1, 1), utc(1990, 1, 1)) == 0
    assert grid.count(utc(2100, 1, 1), utc(2110, 1, 1)) == 0
    assert grid.indexes(np.array([0])).tolist() == [0]


def test_an_asset_without_an_entry_trades_round_the_clock(settings: Settings) -> None:
    assert grid_of(settings, "XYZUSD", "1h") is calendars.grid("24/7", "1h")


def test_a_calendar_that_nobody_knows_is_a_wrong_setting(settings: Settings) -> None:
    asset = settings.assets["BTCUSD"].model_copy(update={"calendar": "MARS"})
    wrong = settings.model_copy(update={"assets": {"BTCUSD": asset}})
    with pytest.raises(InvalidSetting, match="there is no calendar MARS"):
        grid_of(wrong, "BTCUSD", "1h")
    with pytest.raises(UnknownTimeframe):
        grid_of(settings, "BTCUSD", "2h")
