"""Increments: what an arriving candle changes is recomputed, and nothing else."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lakehouse import ops
from lakehouse.builds import build
from lakehouse.builds.builder import Builder
from lakehouse.builds.slices import Slice
from lakehouse.commits import actions_of, version_of
from lakehouse.outcomes import Recorder
from lakehouse.settings import BuildOptions
from lakehouse.tables import table_named
from tests.builds import brute_force
from tests.builds.lakes import (
    ANALYSIS,
    BUILT,
    DAILY,
    ENRICHED,
    SUPERSEDED,
    TECHNICAL,
    Lake,
    NewLake,
    assert_same,
    assert_same_tables,
)
from tests.builds.market import END, START, closed_by

LATE = (pl.col("asset_pair") == "ETHUSD") & (pl.col("timeframe") == "1h")
LATE &= pl.col("timestamp") == START + timedelta(days=20, hours=7)


def of(asset_pair: str, frame: pl.DataFrame) -> pl.DataFrame:
    return frame.filter(pl.col("asset_pair") == asset_pair)


def test_without_news_nothing_is_written(whole: Lake) -> None:
    before = whole.versions()
    assert whole.build().rows == {}
    assert whole.versions() == before


@pytest.fixture(scope="module")
def grown(
    new_lake: NewLake, candles: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory
) -> Lake:
    """Built day by day; one candle of ETHUSD has not come yet."""
    lake = new_lake(tmp_path_factory.mktemp("grown") / "lake")
    for days_left in (2, 1, 0):
        lake.land(closed_by(candles, END - timedelta(days=days_left)).filter(~LATE))
        lake.build()
    return lake


def test_day_by_day_gives_the_same_as_all_at_once(grown: Lake, whole: Lake) -> None:
    for name in BUILT:
        assert_same(of("BTCUSD", grown.values(name)), of("BTCUSD", whole.values(name)))
    assert grown.rows(SUPERSEDED).is_empty()


def replaced_files(lake: Lake, name: str) -> list[bool]:
    """Of each commit after the first, whether it took the place of files that were there."""
    path = table_named(name).path(lake.settings.lake)
    actions = [actions_of(path, version) for version in range(1, (version_of(path) or 0) + 1)]
    return [any("remove" in action for action in commit) for commit in actions]


@pytest.mark.parametrize("name", [ENRICHED, ANALYSIS, TECHNICAL])
def test_a_day_that_follows_is_added_and_nothing_is_written_again(grown: Lake, name: str) -> None:
    assert replaced_files(grown, name) == [False, False]


def test_a_late_candle_recomputes_its_series_from_there_on(
    grown: Lake, whole: Lake, candles: pl.DataFrame
) -> None:
    before = {name: grown.rows(name) for name in BUILT}
    grown.land(candles.filter(LATE))
    built = grown.build()
    assert [(a.asset_pair, a.timeframe) for a in built.arrivals] == [("ETHUSD", "1h")]
    assert not list(grown.settings.lake.glob("staging/*"))
    assert_same_tables(grown, whole)
    assert replaced_files(grown, ANALYSIS) == [False, False, True]
    for name in BUILT:
        now = grown.rows(name)
        assert of("BTCUSD", now).equals(of("BTCUSD", before[name]))
        is_earlier = pl.col("date" if name == DAILY else "timestamp") < START + timedelta(days=20)
        if name in (ENRICHED, ANALYSIS, DAILY, TECHNICAL):
            assert now.filter(is_earlier).equals(before[name].filter(is_earlier))


def sliced(lake: Lake, candles: int) -> Lake:
    options = BuildOptions(slice_candles=candles)
    return Lake(lake.session, lake.settings.model_copy(update={"build": options}))


def test_a_history_taken_in_slice_by_slice_gives_the_same_as_all_at_once(
    new_lake: NewLake, candles: pl.DataFrame, whole: Lake, tmp_path: Path
) -> None:
    lake = new_lake(tmp_path / "sliced")
    lake.land(candles.filter(~LATE))
    sliced(lake, 1_200).build()
    lake.land(candles.filter(LATE))
    sliced(lake, 300).build()
    recorded = ops.read(lake.settings, "ops.arrivals").to_pylist()
    assert len({row["build_id"] for row in recorded}) == 3 + 3
    assert_same_tables(lake, whole)


def test_what_a_killed_full_refresh_left_out_is_taken_in_by_the_next_build(
    copy: Lake, whole: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, take_in = sliced(copy, 2_500), Builder._take_in

    def killed_after_one(self: Builder, part: Slice, *how: Any) -> None:
        if not part.is_first:
            raise KeyboardInterrupt
        take_in(self, part, *how)

    with monkeypatch.context() as patched:
        patched.setattr(Builder, "_take_in", killed_after_one)
        # Nobody puts back what a killed process wrote.
        patched.setattr(sys.modules["lakehouse.builds.build"], "put_back", lambda *_: None)
        with pytest.raises(KeyboardInterrupt):
            build(lake.session, lake.settings, Recorder(lake.settings, "run-1"), full_refresh=True)
    assert len(lake.rows(ENRICHED)) < len(whole.rows(ENRICHED))
    lake.build()
    assert_same_tables(lake, whole)


def test_all_of_a_first_build_is_created_by_it(whole: Lake) -> None:
    for name in BUILT:
        rows = whole.rows(name)
        assert rows["created_at"].n_unique() == 1
        assert rows["created_at"].equals(rows["updated_at"], check_names=False)


CORRECTED_AT = END - timedelta(days=1, hours=4)
PREFERRED_AT = END - timedelta(hours=5)
BROKEN_AT = START + timedelta(hours=3)
LESSER_AT = END - timedelta(hours=9)


def candle_at(candles: pl.DataFrame, asset: str, timeframe: str, moment: object) -> pl.DataFrame:
    found = candles.filter(asset_pair=asset, timeframe=timeframe).filter(
        pl.col("timestamp") == moment
    )
    assert len(found) == 1
    return found


def dearer(candle: pl.DataFrame) -> pl.DataFrame:
    return candle.with_columns(pl.col("open", "high", "low", "close") * 1.01)


@pytest.fixture(scope="module")
def amended(
    whole: Lake,
    new_lake: NewLake,
    candles: pl.DataFrame,
    tmp_path_factory: pytest.TempPathFactory,
) -> Lake:
    """`whole`, and then: a correction of a 4h candle of BTCUSD, two candles of ETHUSD of other
    providers, of which one is preferred, and first hours of SOLUSD and XRPUSD, one broken."""
    lake = new_lake(whole.copied_to(tmp_path_factory.mktemp("amended") / "lake"))
    lake.land(dearer(candle_at(candles, "BTCUSD", "4h", CORRECTED_AT)))
    lake.land(dearer(candle_at(candles, "ETHUSD", "1h", PREFERRED_AT)), provider="coinbase")
    lake.land(dearer(candle_at(candles, "ETHUSD", "1h", LESSER_AT)), provider="unheard_of")
    hours = candles.filter(asset_pair="BTCUSD", timeframe="1h").head(40)
    lake.land(hours.with_columns(asset_pair=pl.lit("SOLUSD")))
    lake.land(broken(hours.with_columns(asset_pair=pl.lit("XRPUSD")), BROKEN_AT))
    lake.build()
    return lake


def broken(candles: pl.DataFrame, moment: datetime) -> pl.DataFrame:
    """The candle of that moment is out of order, as if it had slipped through bronze's gate."""
    low = pl.when(timestamp=moment).then(pl.col("high") * 1.5).otherwise(pl.col("low"))
    return candles.with_columns(low=low)


def test_a_corrected_candle_replaces_its_earlier_version(
    amended: Lake, candles: pl.DataFrame
) -> None:
    btc = candles.filter(asset_pair="BTCUSD")
    corrected = candle_at(btc, "BTCUSD", "4h", CORRECTED_AT)
    others = btc.join(corrected, on=["timeframe", "timestamp"], how="anti")
    expected = brute_force.enriched(pl.concat([others, dearer(corrected)]))
    assert_same(of("BTCUSD", amended.values(ENRICHED)).select(expected.columns), expected)


def test_a_correction_touches_only_its_series_from_there_on(amended: Lake, whole: Lake) -> None:
    def untouched(frame: pl.DataFrame) -> pl.DataFrame:
        is_corrected = (pl.col("timeframe") == "4h") & (pl.col("timestamp") >= CORRECTED_AT)
        return of("BTCUSD", frame).filter(~is_corrected)

    for name in (ENRICHED, TECHNICAL):
        assert untouched(amended.rows(name)).equals(untouched(whole.rows(name)))


def test_updated_at_moves_only_with_a_value_and_created_at_never(
    amended: Lake, whole: Lake
) -> None:
    for name in BUILT:
        before, now = of("BTCUSD", whole.rows(name)), of("BTCUSD", amended.rows(name))
        assert now["created_at"].equals(before["created_at"])
        values = pl.struct(pl.exclude("created_at", "updated_at"))
        is_other = now.select(values).to_series() != before.select(values).to_series()
        is_moved = now["updated_at"] > before["updated_at"]
        assert is_moved.equals(is_other, check_names=False)
    assert is_moved.any()


def test_a_preferred_provider_replaces_a_candle_and_a_lesser_one_does_not(
    amended: Lake, candles: pl.DataFrame
) -> None:
    found = of("ETHUSD", amended.rows(ENRICHED)).filter(timeframe="1h")
    provider = dict(zip(found["timestamp"], found["provider"], strict=True))
    assert [t for t, name in provider.items() if name != "simulated"] == [PREFERRED_AT]
    eth = candles.filter(asset_pair="ETHUSD", timeframe="1h")
    preferred = candle_at(eth, "ETHUSD", "1h", PREFERRED_AT)
    others = eth.join(preferred, on="timestamp", how="anti")
    expected = brute_force.enriched(pl.concat([others, dearer(preferred)]))
    assert_same(found.drop("created_at", "updated_at").select(expected.columns), expected)


def test_a_new_asset_gets_its_rows_in_every_table(amended: Lake) -> None:
    counts = [len(of("SOLUSD", amended.rows(name))) for name in BUILT]
    assert counts == [40, 40, 2, 40, 3]


def test_a_row_that_a_gate_rejects_leaves_silver_as_a_dead_letter(amended: Lake) -> None:
    letters = list((amended.settings.lake / "dlq").rglob("*.json"))
    assert len(letters) == 1
    assert "close < low" in letters[0].read_text()
    for name in (ENRICHED, TECHNICAL):
        found = of("XRPUSD", amended.rows(name))
        assert len(found) == 39
        assert BROKEN_AT not in found["timestamp"].to_list()
    assert len(of("XRPUSD", amended.rows(ANALYSIS))) == 39
