from datetime import UTC, datetime, timedelta

import pytest

from lakehouse.errors import UnknownTimeframe
from lakehouse.timeframes import ceil, expected_candles, floor, step

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_a_day_has_as_many_candles_as_fit() -> None:
    day = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
    counts = {name: expected_candles(name, *day) for name in ("1m", "5m", "15m", "1h", "4h", "1d")}
    assert counts == {"1m": 1440, "5m": 288, "15m": 96, "1h": 24, "4h": 6, "1d": 1}


def test_a_range_that_starts_between_grid_points_expects_the_next_candle_first() -> None:
    assert expected_candles("1h", NOON + timedelta(minutes=1), NOON + timedelta(hours=2)) == 1


def test_an_empty_range_expects_nothing() -> None:
    assert expected_candles("1h", NOON, NOON) == 0


def test_floor_and_ceil_keep_a_grid_point_and_enclose_any_other_time() -> None:
    hour = timedelta(hours=1)
    assert floor(NOON, hour) == ceil(NOON, hour) == NOON
    later = NOON + timedelta(seconds=1)
    assert (floor(later, hour), ceil(later, hour)) == (NOON, NOON + hour)


def test_an_unknown_timeframe_is_named_with_those_there_are() -> None:
    with pytest.raises(UnknownTimeframe, match=r"3m.*1m, 5m, 15m, 1h, 4h, 1d"):
        step("3m")
