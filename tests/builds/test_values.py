"""Silver and gold hold what plain Python makes of the same candles."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from tests.builds import brute_force
from tests.builds.lakes import ANALYSIS, DAILY, ENRICHED, REGIMES, TECHNICAL, Lake, assert_same
from tests.builds.market import END


@pytest.fixture(scope="module")
def rows(whole: Lake) -> list[dict[str, Any]]:
    return whole.rows(ENRICHED).to_dicts()


def like(found: pl.DataFrame, rows: Any) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=found.schema)


def test_every_candle_has_the_indicators_of_its_whole_series(
    whole: Lake, candles: pl.DataFrame
) -> None:
    expected = brute_force.enriched(candles)
    assert_same(whole.values(ENRICHED).select(expected.columns), expected)


def test_a_candle_knows_its_hour_and_the_day_of_its_week(whole: Lake) -> None:
    found = whole.rows(ENRICHED)
    assert (found["hour"] == found["timestamp"].dt.hour()).all()
    assert (found["day_of_week"] == found["timestamp"].dt.weekday()).all()


def test_the_analysis_uses_only_candles_closed_by_then(
    whole: Lake, rows: list[dict[str, Any]]
) -> None:
    found = whole.values(ANALYSIS)
    assert_same(found, like(found, brute_force.analysis(rows)))


def test_the_analysis_sees_every_trend_of_every_timeframe_that_has_a_history(whole: Lake) -> None:
    found = whole.rows(ANALYSIS)
    for timeframe in ("1m", "1h", "4h", "1d"):
        assert set(found[f"trend_{timeframe}"]) == {None, "up", "down"}
    assert found["trend_5m"].null_count() == len(found)


def test_a_reading_is_null_once_its_candle_closed_more_than_two_steps_ago(
    new_lake: Any, candles: pl.DataFrame, whole: Lake
) -> None:
    found = whole.rows(ANALYSIS).filter(asset_pair="BTCUSD")
    last = found.filter(pl.col("timestamp") == END)
    assert last["rsi_1h"].null_count() == 0
    before_minutes = found.filter(pl.col("timestamp") == END - timedelta(hours=6))
    assert before_minutes["rsi_1m"].null_count() == 1


def test_the_daily_mart_sums_up_the_finest_candles_of_each_day(
    whole: Lake, rows: list[dict[str, Any]]
) -> None:
    found = whole.values(DAILY)
    assert set(found["source_timeframe"]) == {"1m", "1h"}
    assert_same(found, like(found, brute_force.daily(rows)))


def test_the_regimes_of_each_month_are_counted(whole: Lake, rows: list[dict[str, Any]]) -> None:
    found = whole.values(REGIMES)
    assert_same(found, like(found, brute_force.regimes(rows)))


def test_the_shares_of_a_month_sum_to_one(whole: Lake) -> None:
    shares = whole.rows(REGIMES).drop_nulls("share_of_month")
    sums = shares.group_by("asset_pair", "timeframe", "month").agg(pl.col("share_of_month").sum())
    assert len(sums) > 0
    assert ((sums["share_of_month"] - 1).abs() < 1e-12).all()


def test_the_technical_mart_says_what_the_indicators_are_read_as(
    whole: Lake, rows: list[dict[str, Any]]
) -> None:
    found = whole.values(TECHNICAL)
    described = found.select("trend", "rsi_zone", "macd_cross", "bollinger_position")
    assert_same(described, like(described, brute_force.technical(rows)))
    shared = [name for name in found.columns if name in whole.rows(ENRICHED).columns]
    assert_same(found.select(shared), whole.values(ENRICHED).select(shared))
