"""What landing teaches the gap ledger, on real tables and over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from lakehouse import ops, pipeline
from lakehouse.dead_letters import list_dead_letters
from lakehouse.errors import InvalidSetting
from lakehouse.file_backfill import backfill_files
from lakehouse.gaps import read_coverage, read_gaps
from lakehouse.pipeline import Start
from lakehouse.simulated import Market, RunningExchange, pair_of, running_exchange
from lakehouse.simulated.market import MINUTE_MS
from tests.conftest import settings_for
from tests.gaps.landings import NOW_MS, QUIET, LandingLake, Seen, exchange_settings, moment

SIX, NINE = "2026-03-15T06:00", "2026-03-15T09:00"
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture(scope="module")
def exchange() -> Iterator[RunningExchange]:
    with running_exchange(now_ms=NOW_MS) as running:
        yield running


@pytest.fixture
def lake(
    exchange: RunningExchange,
    sail_remote: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> LandingLake:
    monkeypatch.setenv("SPARK_REMOTE", sail_remote)
    exchange.reset(now_ms=NOW_MS, retry_after_seconds=0)
    settings = settings_for(tmp_path / "lake", engine="sail")
    return LandingLake(exchange_settings(settings, exchange), exchange)


def quiet_minutes(start: str, end: str, share: float) -> list[Seen]:
    """The runs of minutes without a trade, as the market itself has them."""
    first, last = (int(moment(text).timestamp() * 1000) for text in (start, end))
    pair = pair_of("BTCUSD")
    assert pair
    candles = Market(7, quiet_minutes=share).candles(pair, MINUTE_MS, first, last, NOW_MS)
    runs: list[Seen] = []
    for number in [n for n, trades in enumerate(candles.trades) if trades == 0]:
        opened = moment(start) + number * MINUTE
        if runs and runs[-1][1] == opened:
            runs[-1] = (runs[-1][0], opened + MINUTE, "no_trade", runs[-1][3] + 1)
        else:
            runs.append((opened, opened + MINUTE, "no_trade", 1))
    return runs


def test_an_absent_row_and_a_flat_one_both_mean_that_nobody_traded(lake: LandingLake) -> None:
    lake.exchange.change(quiet_minutes=0.3)
    for provider in ("binance", "kraken"):
        assert lake.backfill(SIX, NINE, "1m,5m", provider).is_success
    expected = quiet_minutes(SIX, NINE, 0.3)
    assert len(expected) > 20
    assert lake.gaps("binance") == expected
    assert lake.gaps("kraken") == expected
    assert lake.gaps("binance", "5m") == lake.gaps("kraken", "5m")
    steps = ops.query(lake.settings, "ops.outcomes", "SELECT * FROM rows WHERE step = 'gaps'")
    assert sum(step["rows_out"] for step in steps) == len(read_gaps(lake.settings))


def test_sources_say_which_call_a_candle_came_from(lake: LandingLake) -> None:
    prepared = lake.prepare("2026-03-14T12:00", NINE)
    lake.run(prepared)
    rows = ops.query(lake.settings, "ops.sources", "SELECT * FROM rows ORDER BY first_candle")
    assert [row["rows"] for row in rows] == [1000, 260]
    assert rows[0]["first_candle"] == moment("2026-03-14T12:00")
    assert rows[1]["first_candle"] == rows[0]["last_candle"] + MINUTE
    assert all(row["source"].startswith(lake.exchange.base_url("binance")) for row in rows)
    assert {row["run_id"] for row in rows} == {prepared.run_id}


def test_an_outage_is_known_until_the_source_answers(lake: LandingLake) -> None:
    lake.backfill(SIX, "2026-03-15T07:00")
    lake.exchange.change(server_errors=1)
    assert not lake.backfill(SIX, NINE).is_success
    assert lake.gaps() == [(moment("2026-03-15T07:00"), moment(NINE), "outage", 120)]
    (gap,) = read_gaps(lake.settings)
    assert gap.detail.startswith("binance did not answer for BTCUSD 1m after 3 attempts")
    lake.exchange.reset(now_ms=NOW_MS)
    lake.backfill("2026-03-15T08:00", NINE)
    assert lake.gaps() == [(moment("2026-03-15T07:00"), moment("2026-03-15T08:00"), "outage", 60)]
    lake.backfill(SIX, NINE)
    assert lake.gaps() == []
    (known,) = read_coverage(lake.settings)
    assert (known.known_from, known.known_to) == (moment(SIX), moment(NINE))
    assert (known.first_candle, known.last_candle) == (moment(SIX), moment(NINE) - MINUTE)


def test_what_was_never_asked_between_two_windows_is_not_fetched(lake: LandingLake) -> None:
    lake.backfill(SIX, "2026-03-15T07:00")
    lake.backfill("2026-03-15T08:00", NINE)
    assert lake.gaps() == [
        (moment("2026-03-15T07:00"), moment("2026-03-15T08:00"), "not_fetched", 60)
    ]


def test_what_the_only_provider_refuses_is_not_fetched(lake: LandingLake) -> None:
    lake.exchange.change(delisted=("BTCUSDT",))
    refused = lake.backfill(SIX, "2026-03-15T07:00")
    assert not refused.is_success
    assert lake.gaps() == [(moment(SIX), moment("2026-03-15T07:00"), "not_fetched", 60)]


def test_a_killed_run_still_knows_whose_failure_brought_the_candles(lake: LandingLake) -> None:
    down = lake.settings.providers["binance"].model_copy(
        update={"base_url": "http://127.0.0.1:9", "attempts": 1}
    )
    lake = lake.changed(fallback=True, providers={**lake.settings.providers, "binance": down})
    prepared = lake.prepare(SIX, "2026-03-15T07:00")
    pipeline.fetch(lake.settings, prepared, QUIET)
    again = pipeline.prepare(lake.settings, prepared.request, Start.MISSING, run_id=prepared.run_id)
    assert lake.run(again).is_success
    assert lake.gaps("binance") == [(moment(SIX), moment("2026-03-15T07:00"), "outage", 60)]
    assert lake.gaps("kraken") == []
    (known,) = read_coverage(lake.settings, providers=["kraken"])
    assert known.last_candle == moment("2026-03-15T06:59")


def test_a_history_that_begins_too_late_is_delisted_before_and_not_fetched_after(
    lake: LandingLake,
) -> None:
    assert not lake.backfill("2026-03-14T00:00", NINE, provider="kraken").is_success
    before, after = lake.gaps("kraken")
    assert (before[0], before[2]) == (moment("2026-03-14T00:00"), "delisted")
    assert (after[0], after[1], after[2]) == (before[1], moment(NINE), "not_fetched")


def test_refused_candles_are_rejected_until_a_mended_letter_is_replayed(lake: LandingLake) -> None:
    lake = lake.changed(tolerance=1.0)
    lake.exchange.change(corrupted_candles=0.2)
    lake.backfill(SIX, NINE)
    assert {gap.gap_class for gap in read_gaps(lake.settings)} == {"rejected"}
    letters, _ = list_dead_letters(lake.settings.lake)
    letter = next(letter for letter in letters if letter.error == "volume < 0")
    content = json.loads(letter.path.read_text())
    opened = {moment(row["timestamp"][:19]) for row in content["records"]}
    absent = absent_minutes(lake)
    assert opened <= absent
    for row in content["records"]:
        row["volume"] = 1.0
    letter.path.write_text(json.dumps(content))
    pipeline.replay_dead_letters(lake.settings, [letter], with_build=False)
    assert absent_minutes(lake) == absent - opened
    (share,) = ops.query(lake.settings, "ops.sources", "SELECT * FROM rows")
    assert share["rows"] == 180 - len(absent) + len(opened)


def absent_minutes(lake: LandingLake) -> set[datetime]:
    gaps = read_gaps(lake.settings)
    return {gap.start + number * MINUTE for gap in gaps for number in range(gap.candles)}


def test_all_rows_of_a_quarantined_batch_are_rejected(lake: LandingLake) -> None:
    lake.exchange.change(corrupted_candles=0.3)
    assert lake.backfill(SIX, NINE).result.quarantined
    gaps = read_gaps(lake.settings)
    assert {gap.gap_class for gap in gaps} == {"rejected"}
    assert sum(gap.candles for gap in gaps) == 180
    assert ops.read(lake.settings, "ops.sources").num_rows == 0
    lake.exchange.reset(now_ms=NOW_MS)
    lake.backfill(SIX, NINE)
    assert lake.gaps() == []


def test_nights_weekends_and_holidays_are_no_gaps(lake: LandingLake, tmp_path: Path) -> None:
    asset = lake.settings.assets["BTCUSD"].model_copy(update={"calendar": "XNYS"})
    lake = lake.changed(assets={**lake.settings.assets, "BTCUSD": asset})
    # Wednesday; Thursday is Thanksgiving; Friday closes at 18:00; Monday. One candle is lost.
    hours = [("2025-11-26", range(14, 21)), ("2025-11-28", range(14, 18)), ("2025-12-01", [14, 16])]
    opened = [moment(f"{day}T{hour:02}:00") for day, of_day in hours for hour in of_day]
    rows = [f"{time:%Y-%m-%dT%H:%M:%S},100,101,99,100,5" for time in opened]
    flat = "2025-12-01T17:00:00,100,100,100,100,0"
    file = tmp_path / "BTCUSD-1h-2025.csv"
    file.write_text("\n".join(["timestamp,open,high,low,close,volume", *rows, flat]))
    backfill_files(lake.settings, str(file), with_build=False)
    lost, still = (moment(f"2025-12-01T{hour}:00") for hour in (15, 17))
    assert lake.gaps("file", "1h") == [
        (lost, lost + HOUR, "no_trade", 1),
        (still, still + HOUR, "no_trade", 1),
    ]
    (known,) = read_coverage(lake.settings)
    assert (known.known_from, known.known_to) == (opened[0], still + HOUR)


def test_a_row_without_a_time_may_be_any_candle_that_is_absent(
    lake: LandingLake, tmp_path: Path
) -> None:
    names = ("2026-01-05T00:00:00", "2026-01-05T01:00:00", "soon", "2026-01-05T03:00:00")
    rows = [f"{name},100,101,99,100,5" for name in names]
    file = tmp_path / "BTCUSD-1h-2026.csv"
    file.write_text("\n".join(["timestamp,open,high,low,close,volume", *rows]))
    backfill_files(lake.settings, str(file), with_build=False)
    (gap,) = read_gaps(lake.settings)
    assert (gap.start, gap.candles) == (moment("2026-01-05T02:00"), 1)
    assert (gap.gap_class, gap.detail) == ("rejected", "timestamp is missing or not a time")


def test_a_calendar_that_nobody_knows_stops_a_run_before_it_fetches(lake: LandingLake) -> None:
    asset = lake.settings.assets["BTCUSD"].model_copy(update={"calendar": "NOPE"})
    lake = lake.changed(assets={**lake.settings.assets, "BTCUSD": asset})
    with pytest.raises(InvalidSetting, match=r"assets.BTCUSD.calendar is wrong: .* NOPE"):
        lake.backfill(SIX, NINE)
    assert lake.exchange.calls == 0
