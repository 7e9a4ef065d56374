from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from lakehouse import ops
from lakehouse.backfill import landed_intervals
from lakehouse.backfill.progress import record, subtract, union
from lakehouse.settings import Settings

ZERO = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def at(hour: int) -> datetime:
    return ZERO + hour * HOUR


intervals = st.lists(
    st.tuples(st.integers(0, 40), st.integers(1, 10)).map(lambda p: (at(p[0]), at(p[0] + p[1])))
)


def hours(pieces: list) -> set[datetime]:
    return {at(h) for start, end in pieces for h in range(60) if start <= at(h) < end}


@given(intervals, st.integers(0, 30), st.integers(1, 30))
def test_what_is_missing_is_the_whole_without_what_is_covered(pieces, first, length) -> None:
    whole = (at(first), at(first + length))
    assert hours(subtract(whole, union(pieces))) == hours([whole]) - hours(pieces)


@given(intervals)
def test_a_union_covers_the_same_and_its_pieces_do_not_touch(pieces) -> None:
    merged = union(pieces)
    assert hours(merged) == hours(pieces)
    assert all(left[1] < right[0] for left, right in pairwise(merged))


def attempt(start: int, end: int, status: str = "landed", **facts: object) -> dict:
    return {
        "asset_pair": "BTCUSD",
        "timeframe": "1h",
        "provider": "kraken",
        "window_start": at(start),
        "window_end": at(end),
        "status": status,
        "run_id": "run",
        **facts,
    }


def test_only_windows_that_landed_count(settings: Settings) -> None:
    record(settings, [attempt(0, 2), attempt(2, 4, "failed"), attempt(4, 6, "quarantined")])
    assert landed_intervals(settings, "kraken") == {("BTCUSD", "1h"): [(at(0), at(2))]}
    assert landed_intervals(settings, "binance") == {}


def test_windows_of_other_lengths_add_up(settings: Settings) -> None:
    record(settings, [attempt(0, 2), attempt(1, 5)])
    assert landed_intervals(settings, "kraken") == {("BTCUSD", "1h"): [(at(0), at(5))]}


def test_the_watermark_stops_at_a_gap_until_it_is_filled(
    settings: Settings,
) -> None:
    record(settings, [attempt(0, 2), attempt(3, 6)])
    assert watermark(settings) == at(2)
    record(settings, [attempt(2, 3)])
    assert watermark(settings) == at(6)


def test_a_failed_window_moves_no_watermark(settings: Settings) -> None:
    record(settings, [attempt(0, 2, "failed")])
    assert ops.read(settings, "ops.watermarks").num_rows == 0


def watermark(settings: Settings) -> datetime:
    (row,) = ops.read(settings, "ops.watermarks").to_pylist()
    assert row["table"] == "bronze.raw_market_data_1h"
    return row["watermark"]
