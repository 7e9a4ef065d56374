"""Each expectation of the bronze suite, broken by one row, on both engines."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest
from pyspark.sql import SparkSession

from lakehouse.gate import Gate, suite_of
from lakehouse.settings import Asset, load_settings
from tests.gate.candles import NOW, START, candle, frame_of

SUITE = "bronze.raw_market_data"
LAST = timedelta(days=1)

# What is changed in a good candle, and every reason the gate must have against it.
BROKEN: dict[str, tuple[dict[str, Any], set[str]]] = {
    "no asset": ({"asset_pair": None}, {"asset_pair is missing"}),
    "no timestamp": ({"timestamp": None}, {"timestamp is missing or not a time"}),
    "no provider": ({"provider": None}, {"provider is missing"}),
    "no timeframe": ({"timeframe": None}, {"timeframe is missing"}),
    "strange timeframe": (
        {"timeframe": "7m"},
        {"timeframe is not one of 1m, 5m, 15m, 1h, 4h, 1d"},
    ),
    "no open": ({"open": None}, {"open is missing or not a number"}),
    "no high": ({"high": None}, {"high is missing or not a number"}),
    "no low": ({"low": None}, {"low is missing or not a number"}),
    "no close": ({"close": None}, {"close is missing or not a number"}),
    "no volume": ({"volume": None}, {"volume is missing or not a number"}),
    "open is NaN": ({"open": math.nan}, {"open is missing or not a number"}),
    "close is NaN": ({"close": math.nan}, {"close is missing or not a number"}),
    "high is infinite": ({"high": math.inf}, {"high is missing or not a number"}),
    "low is minus infinite": ({"low": -math.inf}, {"low is missing or not a number"}),
    "volume is NaN": ({"volume": math.nan}, {"volume is missing or not a number"}),
    "volume is infinite": ({"volume": math.inf}, {"volume is missing or not a number"}),
    "swapped": (
        {"high": 90.0, "low": 110.0},
        {"high < low", "open < low", "open > high", "close < low", "close > high"},
    ),
    "open below": ({"open": 89.0}, {"open < low"}),
    "open above": ({"open": 111.0}, {"open > high"}),
    "close below": ({"close": 89.0}, {"close < low"}),
    "close above": ({"close": 111.0}, {"close > high"}),
    "price at the minimum": ({"low": 0.0001}, {"price at or below the asset's minimum"}),
    "price negative": ({"low": -90.0}, {"price at or below the asset's minimum"}),
    "price at the maximum": (
        {"high": 1_000_000.0},
        {"price at or above the asset's maximum"},
    ),
    "volume negative": ({"volume": -0.1}, {"volume < 0"}),
    "off the grid": (
        {"timestamp": START + timedelta(seconds=30)},
        {"timestamp not on the timeframe's grid"},
    ),
    "off the grid by a microsecond": (
        {"timestamp": START + timedelta(microseconds=1)},
        {"timestamp not on the timeframe's grid"},
    ),
    "before 1970 and off the grid": (
        {"timestamp": START.replace(year=1960, second=59)},
        {"timestamp not on the timeframe's grid"},
    ),
    "off the grid of its own timeframe": (
        {"timestamp": START + timedelta(minutes=5), "timeframe": "15m"},
        {"timestamp not on the timeframe's grid"},
    ),
    "still open": ({"timestamp": START + LAST}, {"candle not closed yet"}),
    "from the future": ({"timestamp": START + 30 * LAST}, {"candle not closed yet"}),
    "three faults": (
        {"open": None, "volume": -1.0, "timestamp": START + timedelta(seconds=1)},
        {
            "open is missing or not a number",
            "volume < 0",
            "timestamp not on the timeframe's grid",
        },
    ),
}
GOOD: dict[str, dict[str, Any]] = {
    "plain": {},
    "flat without trades": {
        "open": 100.0,
        "high": 100.0,
        "low": 100.0,
        "close": 100.0,
        "volume": 0.0,
    },
    "just closed": {"timestamp": START + LAST - timedelta(minutes=1)},
    "just inside the range": {"low": 0.000101, "high": 999_999.99},
    "of a day": {"timeframe": "1d"},
    "of four hours": {"timestamp": START + timedelta(hours=8), "timeframe": "4h"},
    "before 1970": {"timestamp": START.replace(year=1960)},
    "of an asset nobody configured": {"asset_pair": "NEWUSD"},
}


@pytest.fixture(scope="session")
def found(session: SparkSession) -> dict[str, set[str]]:
    """The gate's reasons against each of the candles above; each is a batch of its own."""
    changes = {name: change for name, (change, _) in BROKEN.items()} | GOOD
    rows = [candle(**change, batch_id=name) for name, change in changes.items()]
    gate = Gate(SUITE, load_settings(), NOW)
    judged = gate.judge(gate.annotate(frame_of(session, rows)))
    return {row.batch_id: set(row.reasons) for row in judged.rows.collect()}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_candle_is_rejected_with_every_reason_it_has(
    found: dict[str, set[str]], name: str
) -> None:
    assert found[name] == BROKEN[name][1]


@pytest.mark.parametrize("name", GOOD)
def test_a_good_candle_has_no_reason_against_it(found: dict[str, set[str]], name: str) -> None:
    assert found[name] == set()


def test_every_row_expectation_is_among_the_broken_ones() -> None:
    reasons = {c.reason for c in suite_of(SUITE).checks if c.severity == "fail"}
    shown = set().union(*(reasons for _, reasons in BROKEN.values()))
    assert reasons - shown == {"two candles for one time"}


def test_the_range_of_prices_is_that_of_the_asset(session: SparkSession) -> None:
    known = load_settings()
    cheap = Asset(base="DOGE", quote="USD", min_price=0.01, max_price=1.5)
    settings = known.model_copy(update={"assets": {**known.assets, "DOGEUSD": cheap}})
    prices = {"open": 2.0, "high": 2.1, "low": 1.9, "close": 2.0}
    rows = [candle(asset_pair=asset, **prices) for asset in ("DOGEUSD", "XRPUSD")]
    reasons = Gate(SUITE, settings, NOW).annotate(frame_of(session, rows))
    assert {row.asset_pair: row.reasons for row in reasons.collect()} == {
        "DOGEUSD": ["price at or above the asset's maximum"],
        "XRPUSD": [],
    }


def test_a_candle_that_doubles_is_warned_about_and_passes(session: SparkSession) -> None:
    gate = Gate(SUITE, load_settings(), NOW)
    annotated = gate.annotate(frame_of(session, [candle(high=181.0)]))
    (row,) = annotated.collect()
    (verdict,) = gate.judge(annotated).verdicts
    assert (row.reasons, verdict.rejected) == ([], 0)
    assert row.warnings == ["price more than doubled or halved within one candle"]
    assert verdict.warnings.total() == 1


@pytest.mark.parametrize(("minutes_old", "is_fresh"), [(1, True), (3, True), (4, False)])
def test_a_live_batch_must_be_fresh(
    session: SparkSession, minutes_old: int, is_fresh: bool
) -> None:
    gate = Gate(SUITE, load_settings(), NOW, is_live=True)
    oldest, newest = 60, 24 * 60 - minutes_old
    rows = frame_of(session, [candle(oldest), candle(newest)])
    (verdict,) = gate.judge(gate.annotate(rows)).verdicts
    stale = {"newest candle is more than two candles old"}
    assert set(verdict.warnings) == (set() if is_fresh else stale)
    assert not verdict.is_quarantined


def test_a_backfill_may_be_as_old_as_it_likes(session: SparkSession) -> None:
    gate = Gate(SUITE, load_settings(), NOW)
    rows = gate.annotate(frame_of(session, [candle(0)]))
    assert not gate.judge(rows).verdicts[0].warnings
