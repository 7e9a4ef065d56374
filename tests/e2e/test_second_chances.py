"""Beginning anew, and dead letters that are mended and replayed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lakehouse.simulated import running_exchange
from tests.e2e.lakes import CANDLE, Lake, new_lake

pytestmark = pytest.mark.e2e

WHAT = ("--assets", "BTCUSD", "--from", "2026-03-02", "--to", "2026-03-04", "--timeframes", "1h,4h")
CANDLES = 2 * (24 + 6)


def test_restart_begins_the_unfinished_run_anew_and_doubles_nothing(tmp_path: Path) -> None:
    hasty = {"LAKEHOUSE__PROVIDERS__SIMULATED__BACKOFF_SECONDS": "0.01"}
    with new_lake(tmp_path / "lake", **hasty) as lake, running_exchange() as exchange:
        url = {"LAKEHOUSE__PROVIDERS__SIMULATED__BASE_URL": exchange.base_url("binance")}
        exchange.change(server_errors=1)
        failed = lake.run("backfill", *WHAT, "--no-build", "--json", **url)
        assert failed.code == 1
        assert failed.json[0]["failures"]
        assert "Traceback" not in failed.err
        exchange.reset()
        begun = lake.backfill(*WHAT, "--restart", "--no-build", **url)
        assert begun["rows_new"] == CANDLES
        assert lake.backfill(*WHAT, "--resume", **url)["rows_new"] == 0
        assert lake.backfill(*WHAT, "--restart", "--no-build", **url)["rows_new"] == 0
        assert lake.bronze().unique([*CANDLE, "timeframe"]).height == CANDLES


def test_mended_dead_letters_land_when_replayed_and_the_others_stay(tmp_path: Path) -> None:
    with new_lake(tmp_path / "lake", LAKEHOUSE__TOLERANCE="1") as lake:
        with running_exchange(corrupted_candles=0.2) as exchange:
            url = {"LAKEHOUSE__PROVIDERS__SIMULATED__BASE_URL": exchange.base_url("binance")}
            first = lake.backfill(*WHAT, "--no-build", **url)
        rejected = len(lake.rejected())
        assert first["rows_new"] < CANDLES
        letter, content = letter_about_prices(lake)
        price = {"open": 100.0, "high": 101.0, "low": 99.0, "close": 100.5, "volume": 1.0}
        mended = [{**row, **price} for row in content["records"][:1]]
        letter.write_text(json.dumps({**content, "records": mended + content["records"][1:]}))

        ran = lake.run("dlq", "replay", "--all", "--json")
        assert ran.code == 1, ran.err
        (report,) = ran.json
        assert (report["landed"], report["still_failing"]) == (1, rejected - 1)
        assert len(lake.rejected()) == rejected - 1
        assert lake.bronze().height == first["rows_new"] + 1
        assert lake.frame("silver.market_data_enriched").height == first["rows_new"] + 1


def letter_about_prices(lake: Lake) -> tuple[Path, Any]:
    """A letter whose rows have nothing wrong but their prices, for those can be mended by hand."""
    for letter in lake.root.glob("dlq/*/dlq_*.json"):
        content = json.loads(letter.read_text())
        if content["error"] in ("open < low", "open > high", "close < low", "close > high"):
            return letter, content
    raise AssertionError("no candle was corrupted in its prices alone")
