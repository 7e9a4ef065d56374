"""`kill -9` of all that a stream is made of, under load: every trade is in bronze exactly once."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import polars as pl
import pytest

from lakehouse import services
from tests.e2e.lakes import Lake, new_lake
from tests.killing import kill
from tests.streams.brute_force import candles_by_hand

pytestmark = pytest.mark.e2e

KILLS = 10
VICTIMS = ("trades-producer", "kafka", "trades-stream", "stream-engine")
PATIENCE_SECONDS = 180
SETTINGS = {
    "LAKEHOUSE__KAFKA__PORT": "0",
    "LAKEHOUSE__STREAMS__BATCH_SECONDS": "1",
    "LAKEHOUSE__STREAMS__METRICS_PORT": "0",
    "LAKEHOUSE__STREAMS__TRADE_FEED__METRICS_PORT": "0",
    "LAKEHOUSE__SIMULATED__TRADES_PER_SECOND": "2000",
    # What nobody received is sent again to who reconnects.
    "LAKEHOUSE__SIMULATED__RESEND_SECONDS": "30",
}


class Exchange:
    """The lake's simulated exchange, over its control endpoint."""

    def __init__(self, lake: Lake) -> None:
        running = services.find(lake.root, "exchange")
        assert running
        self.url = f"http://127.0.0.1:{running.port}"

    def change(self, **faults: object) -> None:
        body = json.dumps(faults).encode()
        with urlopen(Request(f"{self.url}/control", data=body), timeout=10):  # noqa: S310 - ours
            return

    def emitted(self) -> Counter[tuple[Any, ...]]:
        """Every good trade it sent: symbol, ms, price, volume."""
        with urlopen(f"{self.url}/control/trades/log", timeout=60) as answer:  # noqa: S310 - ours
            return Counter(tuple(json.loads(line)) for line in answer)


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    # With the default engine, which batches run on; the stream brings its Spark.
    with new_lake(tmp_path / "lake", **SETTINGS) as lake:
        yield lake


def landed(lake: Lake) -> int:
    if not lake.has("bronze.raw_trades"):
        return 0
    return int(lake.table("bronze.raw_trades").count())


def lag(lake: Lake) -> tuple[int, float]:
    (status,) = lake.run("stream", "status", "trades", "--json").json
    return status["lag_messages"], status["lag_seconds"]


def wait_until(is_so: Any, what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, f"no {what} within {PATIENCE_SECONDS} s"
        time.sleep(0.5)


def kill_service(lake: Lake, name: str) -> None:
    victim = services.find(lake.root, name)
    assert victim, f"{name} does not run"
    kill(victim)


def is_alive(lake: Lake, name: str) -> bool:
    return services.find(lake.root, name) is not None


def test_ten_kills_leave_every_trade_in_bronze_once_and_the_candles_right(lake: Lake) -> None:
    start = ("stream", "start", "trades")
    assert lake.run("up", "exchange").code == 0
    exchange = Exchange(lake)
    exchange.change(keep_log=True)
    chance = random.Random(10)  # noqa: S311 - moments, not secrets
    assert lake.run(*start).code == 0
    wait_until(lambda: landed(lake) > 0, "trade")
    for number in range(KILLS):
        # Sometimes it has recovered from the last kill by then, sometimes not.
        time.sleep(chance.uniform(0, 3))
        kill_service(lake, VICTIMS[number % len(VICTIMS)])
        ran = lake.run(*start)
        assert ran.code == 0, (number, ran.err)
    exchange.change(trades_per_second=0)
    emitted = exchange.emitted()
    wait_until(lambda: landed(lake) >= emitted.total(), "end")
    # What was sent again after a kill lies behind the last new trade.
    wait_until(lambda: lag(lake) == (0, 0), "end of the repeats")
    assert "Stopped trades-producer, trades-stream." in lake.run("stream", "stop").out
    assert not is_alive(lake, "trades-stream")
    bronze = lake.frame("bronze.raw_trades")
    millis = pl.col("timestamp").dt.epoch("ms")
    found = Counter(bronze.select("symbol", millis, "price", "volume").iter_rows())
    assert found == emitted
    silver = lake.frame("silver.trade_aggregates")
    assert candles_by_hand(bronze, silver) == []
    assert lake.rejected() == []
