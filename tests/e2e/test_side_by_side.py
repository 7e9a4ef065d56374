"""Two backfills at once, and one that is interrupted."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from lakehouse.simulated import running_exchange
from tests.e2e.forks import fork
from tests.e2e.lakes import CANDLE, ended, new_lake

pytestmark = pytest.mark.e2e

TWO_DAYS = ("--from", "2026-03-02", "--to", "2026-03-04")
CANDLES_AN_ASSET = 2 * (1440 + 288 + 96 + 24 + 6 + 1)


@pytest.mark.parametrize("second", ["ETHUSD", "BTCUSD"])
def test_two_backfills_at_once_both_succeed_and_double_nothing(tmp_path: Path, second: str) -> None:
    assets = {"BTCUSD", second}
    with new_lake(tmp_path / "lake") as lake:
        started = [
            fork(lake, "backfill", "--assets", asset, *TWO_DAYS, "--json")
            for asset in ("BTCUSD", second)
        ]
        for command in started:
            ran = command.ended()
            assert ran.code == 0, ran.err
        bronze = lake.bronze()
        assert bronze.height == len(assets) * CANDLES_AN_ASSET
        assert bronze.unique([*CANDLE, "timeframe"]).height == bronze.height
        for name in ("silver.market_data_enriched", "gold.mart_technical_indicators"):
            rows = lake.frame(name)
            assert rows.height == bronze.height, name
            assert rows.unique(["asset_pair", "timeframe", "timestamp"]).height == rows.height


def test_an_interrupted_backfill_says_so_and_is_completed_by_resume(tmp_path: Path) -> None:
    what = ("backfill", "--assets", "BTCUSD", *TWO_DAYS)
    with new_lake(tmp_path / "lake") as lake, running_exchange(slow_answers=0.9) as exchange:
        url = {"LAKEHOUSE__PROVIDERS__SIMULATED__BASE_URL": exchange.base_url("binance")}
        process = lake.start(*what, "--window", "1h", **url)
        assert process.stdout is not None
        assert process.stdout.readline().startswith("fetched BTCUSD")
        process.send_signal(signal.SIGINT)
        ran = ended(process)
        assert ran.code == 1
        assert "Interrupted. What was landed stays" in ran.out + ran.err
        assert "Traceback" not in ran.err

        exchange.reset()
        rest = lake.backfill("--assets", "BTCUSD", "--resume", "--no-build", **url)
        assert rest["failures"] == []
        assert lake.bronze().height == CANDLES_AN_ASSET
