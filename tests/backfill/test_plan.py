from datetime import UTC, datetime, timedelta

from lakehouse.backfill import make_plan, make_request
from lakehouse.backfill.plan import MAX_CANDLES, NEAR_CANDLES, Batch, batches_of
from lakehouse.settings import Settings
from lakehouse.sources import RawCandle

NOW = datetime(2026, 3, 10, 15, 30, 20, tzinfo=UTC)
DAY = timedelta(days=1)


def plan(settings: Settings, landed: dict | None = None, **flags: object) -> list:
    request = make_request(settings, **{"assets": ["BTCUSD"], "now": NOW, **flags})
    return make_plan(settings, request, "run", landed or {})


def test_a_week_of_all_timeframes_expects_12985_candles(settings: Settings) -> None:
    assert sum(batch.expected for batch in plan(settings, days=7)) == 12_985


def test_windows_are_half_open_and_adjacent(settings: Settings) -> None:
    (batch,) = plan(settings, days=3, timeframes=["1h"])
    starts = [window[0] for window in batch.windows]
    ends = [window[1] for window in batch.windows]
    assert starts[1:] == ends[:-1]
    assert (starts[0], ends[-1]) == (
        datetime(2026, 3, 7, tzinfo=UTC),
        datetime(2026, 3, 10, tzinfo=UTC),
    )


def test_what_is_landed_is_not_planned_again(settings: Settings) -> None:
    start = datetime(2026, 3, 7, tzinfo=UTC)
    landed = {("BTCUSD", "1h"): [(start + DAY, start + 2 * DAY)]}
    batches = plan(settings, landed, days=3, timeframes=["1h"])
    assert [(b.start, b.end) for b in batches] == [
        (start, start + DAY),
        (start + 2 * DAY, start + 3 * DAY),
    ]


def test_nothing_is_planned_when_all_is_landed(settings: Settings) -> None:
    whole = (datetime(2026, 3, 1, tzinfo=UTC), NOW)
    assert plan(settings, {("BTCUSD", "1h"): [whole]}, days=3, timeframes=["1h"]) == []


def test_the_open_candle_is_never_planned(settings: Settings) -> None:
    (batch,) = plan(settings, start="2026-03-10", timeframes=["1h"])
    assert batch.end == datetime(2026, 3, 10, 15, tzinfo=UTC)


def test_without_days_or_from_the_plan_goes_on_from_what_is_landed(settings: Settings) -> None:
    start, end = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 10, 12, tzinfo=UTC)
    (batch,) = plan(settings, {("BTCUSD", "1h"): [(start, end)]}, timeframes=["1h"])
    assert (batch.start, batch.end) == (end, datetime(2026, 3, 10, 15, tzinfo=UTC))


def test_a_first_plan_without_a_range_reaches_back_the_default_days(
    settings: Settings,
) -> None:
    (batch,) = plan(settings, timeframes=["1d"])
    assert batch.expected == settings.backfill.days


def test_a_long_range_is_cut_into_batches_of_bounded_size(settings: Settings) -> None:
    batches = plan(settings, days=60, timeframes=["1m"])
    assert len(batches) > 1
    assert all(batch.expected <= 20_000 for batch in batches)
    assert sum(batch.expected for batch in batches) == 60 * 1440


def test_a_batch_has_the_same_id_when_the_run_goes_on_and_another_in_another_run(
    settings: Settings,
) -> None:
    request = make_request(settings, assets=["BTCUSD"], days=1, timeframes=["1h"], now=NOW)
    first, again, other = (make_plan(settings, request, run, {})[0] for run in ("a", "a", "b"))
    assert first.batch_id == again.batch_id != other.batch_id


HOUR = timedelta(hours=1)
START = datetime(2026, 3, 1, tzinfo=UTC)


def batches(*pieces: tuple[int, int]) -> list[Batch]:
    """Of hours from START on."""
    times = [(START + first * HOUR, START + last * HOUR) for first, last in pieces]
    return batches_of("run", ("BTCUSD", "1h"), "binance", times, DAY)


def test_near_gaps_share_a_batch_and_far_ones_do_not() -> None:
    far = 10 + NEAR_CANDLES + 1
    near, alone = batches((0, 2), (8, 10), (far, far + 1))
    assert near.windows == (
        (START, START + 2 * HOUR),
        (START + 8 * HOUR, START + 10 * HOUR),
    )
    assert (near.expected, alone.expected) == (4, 1)


def test_a_batch_of_near_gaps_is_of_bounded_size() -> None:
    scattered = [(hour, hour + 1) for hour in range(0, 2 * MAX_CANDLES, 200)]
    reaches = [(batch.end - batch.start) / HOUR for batch in batches(*scattered)]
    assert len(reaches) == 2
    assert max(reaches) <= MAX_CANDLES


def test_a_batch_keeps_what_it_asked_for_and_what_has_no_time() -> None:
    (batch,) = batches((0, 2), (8, 10))
    hours = [0, 1, 1.5, 2, 7, 8, 9, 10]
    candles = [candle(START + hour * HOUR) for hour in hours]
    kept = batch.asked_for([*candles, candle(None)])
    times = [(c.timestamp - START) / HOUR for c in kept if c.timestamp]
    assert times == [0, 1, 1.5, 8, 9], "one off the grid is the gate's business"
    assert kept[-1].timestamp is None


def candle(timestamp: datetime | None) -> RawCandle:
    return RawCandle(timestamp, 1, 1, 1, 1, 1, "{}", "url")
