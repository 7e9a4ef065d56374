"""An exchange at its worst: every candle ends up in bronze or in a dead letter, none in both."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from lakehouse.simulated import (
    Corruption,
    Faults,
    RunningExchange,
    corrupted,
    pair_of,
    running_exchange,
)
from lakehouse.timeframes import TIMEFRAMES
from tests.e2e.lakes import BUILT, Lake, new_lake

pytestmark = pytest.mark.e2e

ASSETS = ("BTCUSD", "ETHUSD")
FIRST, LAST = datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 5, tzinfo=UTC)
DAYS = ("--from", "2026-03-02", "--to", "2026-03-05")
CANDLES_AN_ASSET = 3 * (1440 + 288 + 96 + 24 + 6 + 1)
FAULTS = {
    "server_errors": 0.10,
    "rate_limits": 0.05,
    "slow_answers": 0.05,
    "malformed_json": 0.05,
    "corrupted_candles": 0.02,
}
REASONS = {
    "high_below_low": "high < low",
    "open_outside": "open < low",
    "close_outside": "close > high",
    "negative_volume": "volume < 0",
    "price_zero": "price at or below the asset's minimum",
    "price_too_high": "price at or above the asset's maximum",
    "misaligned": "timestamp not on the timeframe's grid",
    "duplicate": "two candles for one time",
}
Key = tuple[str, str, datetime]  # asset_pair, timeframe, opening time


def candles_of(asset_pair: str) -> set[Key]:
    """The keys of all candles that the exchange has."""
    return {
        (asset_pair, timeframe, FIRST + number * length)
        for timeframe, length in TIMEFRAMES.items()
        for number in range((LAST - FIRST) // length)
    }


def broken_by(faults: Faults) -> dict[Key, Corruption]:
    """The candles that the exchange serves broken, by their true keys."""
    return {
        (asset_pair, timeframe, moment_of(corruption.timestamp)): corruption
        for asset_pair in ASSETS
        for timeframe, length in TIMEFRAMES.items()
        if (pair := pair_of(asset_pair))
        for corruption in corrupted(
            faults,
            pair,
            int(length.total_seconds() * 1000),
            range(millis(FIRST), millis(LAST), int(length.total_seconds() * 1000)),
        )
    }


def millis(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def moment_of(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def served_as(key: Key, corruption: Corruption) -> Key:
    """The key under which the broken candle arrives: a misaligned one is a second late."""
    shift = 1000 if corruption.kind == "misaligned" else 0
    return (*key[:2], moment_of(corruption.timestamp + shift))


def reason_of(corruption: Corruption) -> str:
    return REASONS.get(corruption.kind, f"{corruption.field} is missing or not a number")


def keys_in(rows: pl.DataFrame) -> list[Key]:
    return list(rows.select("asset_pair", "timeframe", "timestamp").iter_rows())


def rejected_keys(lake: Lake) -> list[tuple[Key, str]]:
    return [
        (
            (row["asset_pair"], row["timeframe"], datetime.fromisoformat(row["timestamp"])),
            row["reason"],
        )
        for row in lake.rejected()
    ]


def served_by(exchange: RunningExchange) -> dict[str, str]:
    return {"LAKEHOUSE__PROVIDERS__SIMULATED__BASE_URL": exchange.base_url("binance")}


def test_among_faults_no_candle_is_lost_and_none_is_in_two_places(tmp_path: Path) -> None:
    settings = {f"LAKEHOUSE__SIMULATED__{name.upper()}": str(v) for name, v in FAULTS.items()}
    gentle = {"LAKEHOUSE__PROVIDERS__SIMULATED__BACKOFF_SECONDS": "0.05"}
    broken = broken_by(Faults(**FAULTS))
    assert {corruption.kind for corruption in broken.values()} >= {*REASONS, "null_field"}
    with new_lake(tmp_path / "lake", **settings, **gentle) as lake:
        report = lake.backfill("--assets", ",".join(ASSETS), *DAYS, "--no-build")
        landed, rejected = keys_in(lake.bronze()), rejected_keys(lake)
    everything = candles_of("BTCUSD") | candles_of("ETHUSD")
    assert len(landed) == len(set(landed))
    assert set(landed) == everything - broken.keys()
    assert {key for key, _ in rejected} == {served_as(k, c) for k, c in broken.items()}
    found = {(key, reason_of(c)) for k, c in broken.items() if (key := served_as(k, c))}
    spoken = {(key, reason) for key, reasons in rejected for reason in reasons.split("; ")}
    assert found <= spoken
    assert report["rows_rejected"] == len(rejected)
    assert (report["failures"], report["quarantined"]) == ([], [])


def test_a_wholly_corrupted_asset_is_quarantined_and_lands_once_it_is_mended(
    tmp_path: Path,
) -> None:
    both = ("backfill", "--assets", ",".join(ASSETS), *DAYS)
    with new_lake(tmp_path / "lake") as lake:
        with running_exchange(corrupted_candles=1, symbols=("ETHUSDT",)) as exchange:
            ran = lake.run(
                *both, LAKEHOUSE__PROVIDERS__SIMULATED__BASE_URL=exchange.base_url("binance")
            )
        assert ran.code == 1
        assert "Quarantined: ETHUSD 1m" in ran.out
        assert "Traceback" not in ran.err
        assert set(keys_in(lake.bronze())) == candles_of("BTCUSD")
        gold = lake.frame("gold.mart_technical_indicators")
        assert set(keys_in(gold)) == candles_of("BTCUSD")
        assert {key[0] for key, _ in rejected_keys(lake)} == {"ETHUSD"}

        with running_exchange() as exchange:
            rest = lake.backfill(*both[1:], **served_by(exchange))
        assert rest["rows_fetched"] == rest["rows_new"] == CANDLES_AN_ASSET
        assert set(keys_in(lake.bronze())) == candles_of("BTCUSD") | candles_of("ETHUSD")
        for name in BUILT:
            assert set(lake.frame(name)["asset_pair"]) == set(ASSETS), name
