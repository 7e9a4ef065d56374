"""A week of two assets: how much of it lands, what running again does, and what candles agree."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
import pytest

from tests.e2e.lakes import BRONZE, BUILT, CANDLE, Lake, new_lake, same

pytestmark = pytest.mark.e2e

WEEK = ("--from", "2026-03-02", "--to", "2026-03-09")
BOTH = ("--assets", "BTCUSD,ETHUSD")
CANDLES_AN_ASSET = 12_985
MINUTES = {"5m": 5, "15m": 15, "1h": 60, "4h": 240, "1d": 1440}


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """The whole week, landed at once."""
    with new_lake(tmp_path_factory.mktemp("week") / "lake") as lake:
        report = lake.backfill(*BOTH, *WEEK, LAKEHOUSE__DATA_DOCS="true")
        assert report["rows_new"] == 2 * CANDLES_AN_ASSET
        yield lake


def test_a_week_of_two_assets_lands_exactly_its_candles(week: Lake) -> None:
    landed = week.bronze()
    assert dict(landed.group_by("asset_pair").len().iter_rows()) == {
        "BTCUSD": CANDLES_AN_ASSET,
        "ETHUSD": CANDLES_AN_ASSET,
    }
    keys = ["asset_pair", "timeframe", "timestamp"]
    assert landed.unique(keys).height == landed.height
    assert week.frame("silver.market_data_enriched").unique(keys).height == landed.height


def test_the_run_has_its_pages_of_what_the_gates_found(week: Lake) -> None:
    index = (week.root / "data_docs" / "index.html").read_text()
    assert "gold.mart_daily_metrics" in index


def test_running_it_again_lands_none_fetches_none_and_changes_no_table(week: Lake) -> None:
    before = week.versions()
    report = week.backfill(*BOTH, *WEEK)
    assert (report["rows_fetched"], report["rows_new"]) == (0, 0)
    assert week.versions() == before


def test_fetching_it_again_by_force_lands_none_and_changes_no_value(week: Lake) -> None:
    before = {name: week.frame(name) for name in BUILT}
    report = week.backfill(*BOTH, *WEEK, "--timeframes", "1h,1d", "--force")
    assert (report["rows_fetched"], report["rows_new"]) == (2 * 7 * 25, 0)
    for name, rows in before.items():
        order = sorted(rows.columns)
        assert week.frame(name).sort(order).equals(rows.sort(order)), name


def test_a_week_with_parts_landed_before_lands_just_the_rest(
    week: Lake, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with new_lake(tmp_path_factory.mktemp("parts") / "lake") as parts:
        hours = parts.backfill(*BOTH, *WEEK, "--timeframes", "1h", "--no-build")
        assert hours["rows_new"] == 2 * 7 * 24
        bitcoin = parts.backfill("--assets", "BTCUSD", *WEEK, "--no-build")
        assert bitcoin["rows_fetched"] == bitcoin["rows_new"] == CANDLES_AN_ASSET - 7 * 24
        rest = parts.backfill(*BOTH, *WEEK)
        assert rest["rows_fetched"] == rest["rows_new"] == CANDLES_AN_ASSET - 7 * 24
        assert same(parts, week) == []


@pytest.mark.parametrize("timeframe", MINUTES)
def test_longer_candles_are_aggregates_of_the_minutes(week: Lake, timeframe: str) -> None:
    longer = week.frame(f"bronze.raw_market_data_{timeframe}").select(CANDLE)
    opens = pl.col("timestamp").dt.truncate(f"{MINUTES[timeframe]}m").alias("opens")
    aggregated = (
        week.frame(BRONZE[0])
        .sort("timestamp")
        .group_by("asset_pair", opens, maintain_order=True)
        .agg(
            pl.col("open").first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").last(),
            pl.col("volume").sum(),
        )
        .rename({"opens": "timestamp"})
    )
    both = longer.join(aggregated, on=["asset_pair", "timestamp"], suffix="_of_minutes")
    assert both.height == longer.height == aggregated.height
    for name in ("open", "high", "low", "close"):
        assert both[name].equals(both[f"{name}_of_minutes"], check_names=False), name
    difference = (both["volume"] / both["volume_of_minutes"] - 1).abs().max()
    assert difference is not None
    assert float(str(difference)) < 1e-9
