"""The ledger's tables: one commit a landing, several writers, a crash between two commits."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable

from lakehouse import ops
from lakehouse.gaps import Candles, Facts, Gap, Window, read_coverage, read_gaps, tables, take_in
from lakehouse.gaps.reading import COVERAGE, GAPS
from lakehouse.outcomes import Recorder
from lakehouse.settings import Settings
from lakehouse.tables import table_named

FIRST = datetime(2026, 1, 5, tzinfo=UTC)
SERIES = ("BTCUSD", "1h", "binance")
Learn = Callable[[Facts], int]


@pytest.fixture
def learn(settings: Settings) -> Learn:
    return lambda facts: take_in(settings, Recorder(settings, "run"), facts)


def at(hour: int) -> datetime:
    return FIRST + timedelta(hours=hour)


def answered(start: int, end: int, *, has_candles: bool = False) -> Facts:
    facts = Facts([Window(SERIES, at(start), at(end), "no_trade", True)])
    facts.add(Candles(SERIES, at(start), at(end - 1)) if has_candles else None)
    return facts


def failed(start: int, end: int, gap_class: str = "outage", detail: str = "it is down") -> Facts:
    return Facts([Window(SERIES, at(start), at(end), gap_class, False, detail)])


def seen(gap: Gap) -> tuple[datetime, datetime, str, int, str]:
    return gap.start, gap.end, gap.gap_class, gap.candles, gap.detail


def versions(settings: Settings) -> list[int]:
    paths = (str(table_named(name).path(settings.lake)) for name in (GAPS, COVERAGE))
    return [DeltaTable(path).version() for path in paths]


def test_a_landing_is_one_commit_to_each_table_and_the_same_again_none(
    settings: Settings, learn: Learn
) -> None:
    assert learn(answered(0, 24, has_candles=True)) == 0
    assert learn(failed(24, 30)) == 1
    before = versions(settings)
    assert before == [2, 2]
    assert learn(failed(24, 30)) == 0
    assert learn(Facts()) == 0
    assert versions(settings) == before


def test_a_step_says_how_many_gaps_changed(settings: Settings) -> None:
    recorder = Recorder(settings, "run")
    take_in(settings, recorder, failed(0, 5))
    recorder.flush()
    (row,) = ops.read(settings, "ops.outcomes").to_pylist()
    assert (row["step"], row["subject"], row["rows_out"]) == ("gaps", GAPS, 1)


def test_the_newest_reason_is_told_of_an_outage_that_goes_on(
    settings: Settings, learn: Learn
) -> None:
    learn(failed(0, 5, detail="a broken line"))
    learn(failed(5, 9, detail="too many calls"))
    (gap,) = read_gaps(settings)
    assert seen(gap) == (at(0), at(9), "outage", 9, "too many calls")


def test_a_quiet_source_is_delisted_after_a_day_and_listed_again_when_it_trades(
    settings: Settings, learn: Learn
) -> None:
    learn(answered(0, 4, has_candles=True))
    learn(answered(4, 27))
    assert [gap.gap_class for gap in read_gaps(settings)] == ["no_trade"]
    learn(answered(27, 28))
    assert [gap.gap_class for gap in read_gaps(settings)] == ["delisted"]
    learn(answered(28, 30, has_candles=True))
    (gap,) = read_gaps(settings)
    assert seen(gap) == (at(4), at(28), "no_trade", 24, "")


def test_what_a_source_says_it_no_longer_has_stays_delisted(
    settings: Settings, learn: Learn
) -> None:
    learn(failed(4, 6, "delisted", "it keeps a day"))
    learn(answered(6, 8, has_candles=True))
    learn(answered(0, 4, has_candles=True))
    assert [seen(gap)[2:] for gap in read_gaps(settings)] == [("delisted", 2, "it keeps a day")]


def test_writers_at_the_same_time_lose_nothing_of_each_other(
    settings: Settings, learn: Learn
) -> None:
    # Two hours each, of which the first one is there.
    landings = [answered(start, start + 2) for start in range(0, 12, 2)]
    for start, facts in zip(range(0, 12, 2), landings, strict=True):
        facts.add(Candles(SERIES, at(start), at(start)))
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(learn, landings))
    assert [seen(gap)[:3] for gap in read_gaps(settings)] == [
        (at(hour), at(hour + 1), "no_trade") for hour in range(1, 12, 2)
    ]
    (known,) = read_coverage(settings)
    assert (known.known_from, known.known_to) == (at(0), at(12))


def test_landing_again_mends_a_crash_between_the_two_tables(
    settings: Settings, learn: Learn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "PATIENCE_SECONDS", 0.2)
    coverage = table_named(COVERAGE).path(settings.lake)
    learn(answered(0, 10, has_candles=True))
    learn(answered(10, 12))
    shutil.copytree(coverage, tmp_path / "before")
    facts = answered(12, 30)
    facts.add(Candles(SERIES, at(20), at(25)))
    learn(facts)
    expected = [seen(gap) for gap in read_gaps(settings)], _known(settings)
    shutil.rmtree(coverage)
    shutil.copytree(tmp_path / "before", coverage)
    learn(facts)
    assert ([seen(gap) for gap in read_gaps(settings)], _known(settings)) == expected


def test_whatever_lands_after_a_crash_no_gap_is_lost_within_the_horizon(
    settings: Settings, learn: Learn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "PATIENCE_SECONDS", 0.2)
    coverage = table_named(COVERAGE).path(settings.lake)
    learn(answered(0, 10, has_candles=True))
    shutil.copytree(coverage, tmp_path / "before")
    learn(answered(10, 20))
    shutil.rmtree(coverage)
    shutil.copytree(tmp_path / "before", coverage)
    learn(answered(30, 40, has_candles=True))
    assert [seen(gap)[:3] for gap in read_gaps(settings)] == [(at(10), at(30), "not_fetched")]
    learn(answered(10, 20))
    assert [seen(gap)[:3] for gap in read_gaps(settings)] == [
        (at(10), at(20), "no_trade"),
        (at(20), at(30), "not_fetched"),
    ]


def _known(settings: Settings) -> list[tuple[datetime | None, ...]]:
    return [
        (known.known_from, known.known_to, known.first_candle, known.last_candle)
        for known in read_coverage(settings)
    ]
