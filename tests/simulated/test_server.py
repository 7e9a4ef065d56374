"""What the exchange says over HTTP: its shapes, its limits, its control endpoint."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from lakehouse.simulated import RunningExchange, base_url, running_exchange

from .conftest import NOW_MS

MINUTE_MS = 60_000
NOON_MS = NOW_MS - 30_000
PRODUCT = "/coinbase/api/v3/brokerage/market/products/BTC-USD"


@pytest.fixture
def http(exchange: RunningExchange) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=exchange.url, trust_env=False) as client:
        yield client


def klines(http: httpx.Client, **parameters: Any) -> list[list[Any]]:
    asked = {"symbol": "BTCUSDT", "interval": "1m", **parameters}
    rows: list[list[Any]] = http.get("/binance/api/v3/klines", params=asked).json()
    return rows


def test_binance_gives_the_last_500_klines_with_the_open_one(http: httpx.Client) -> None:
    rows = klines(http)
    assert len(rows) == 500
    assert [len(row) for row in rows] == [12] * 500
    assert rows[-1][0] == NOON_MS


def test_binance_gives_at_most_1000_klines_from_the_start(http: httpx.Client) -> None:
    rows = klines(http, startTime=NOON_MS - 5000 * MINUTE_MS, limit=5000)
    assert len(rows) == 1000
    assert rows[0][0] == NOON_MS - 5000 * MINUTE_MS


def test_both_ends_of_a_binance_window_are_inclusive(http: httpx.Client) -> None:
    start, end = NOON_MS - 10 * MINUTE_MS, NOON_MS - 5 * MINUTE_MS
    times = [row[0] for row in klines(http, startTime=start, endTime=end)]
    assert times == list(range(start, end + 1, MINUTE_MS))


@pytest.mark.parametrize(
    ("parameters", "code"),
    [({"symbol": "NOPE"}, -1121), ({"interval": "7m"}, -1120), ({"limit": "x"}, -1100)],
)
def test_binance_words_its_refusals(
    http: httpx.Client, parameters: dict[str, str], code: int
) -> None:
    asked = {"symbol": "BTCUSDT", "interval": "1m"} | parameters
    answer = http.get("/binance/api/v3/klines", params=asked)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_coinbase_refuses_more_than_its_limit(http: httpx.Client) -> None:
    asked = {"granularity": "ONE_MINUTE", "start": "1773500000", "end": "1773540000"}
    answer = http.get(f"{PRODUCT}/candles", params=asked)
    assert answer.status_code == 400
    assert "less than 350" in answer.text


def test_coinbase_gives_the_newest_first(http: httpx.Client) -> None:
    end = NOON_MS // 1000
    asked = {"granularity": "ONE_MINUTE", "start": str(end - 300), "end": str(end)}
    candles = http.get(f"{PRODUCT}/candles", params=asked).json()["candles"]
    assert [candle["start"] for candle in candles] == [str(end - 60 * i) for i in range(6)]


def test_kraken_keeps_720_candles_whatever_since_says(http: httpx.Client) -> None:
    asked = {"pair": "XBTUSD", "interval": "1", "since": "1500000000"}
    result = http.get("/kraken/0/public/OHLC", params=asked).json()["result"]
    rows = result["XXBTZUSD"]
    assert len(rows) == 720
    assert rows[-1][0] * 1000 == NOON_MS
    assert result["last"] == rows[-2][0]


def test_the_since_of_kraken_is_exclusive(http: httpx.Client) -> None:
    since = NOON_MS // 1000 - 600
    asked = {"pair": "XBTUSD", "interval": "1", "since": str(since)}
    rows = http.get("/kraken/0/public/OHLC", params=asked).json()["result"]["XXBTZUSD"]
    assert rows[0][0] == since + 60


def test_kraken_tells_errors_with_status_200(http: httpx.Client) -> None:
    answer = http.get("/kraken/0/public/OHLC", params={"pair": "NOPE"})
    assert (answer.status_code, answer.json()) == (200, {"error": ["EQuery:Unknown asset pair"]})


def test_the_days_of_oanda_begin_in_new_york_unless_told_otherwise(http: httpx.Client) -> None:
    path, headers = "/oanda/v3/instruments/BTC_USD/candles", {"Authorization": "Bearer x"}
    asked = {"granularity": "D", "count": "3"}
    utc = asked | {"dailyAlignment": "0", "alignmentTimezone": "UTC"}
    theirs = http.get(path, params=asked, headers=headers).json()["candles"]
    ours = http.get(path, params=utc, headers=headers).json()["candles"]
    assert {candle["time"][11:13] for candle in theirs} == {"22"}
    assert {candle["time"][11:13] for candle in ours} == {"00"}
    assert [candle["complete"] for candle in ours] == [True, True, False]


def test_oanda_wants_a_token_and_no_future(http: httpx.Client) -> None:
    path = "/oanda/v3/instruments/BTC_USD/candles"
    assert http.get(path, params={"granularity": "D"}).status_code == 401
    asked = {"granularity": "D", "from": "2026-03-01T00:00:00Z", "to": "2026-04-01T00:00:00Z"}
    answer = http.get(path, params=asked, headers={"Authorization": "Bearer x"})
    assert answer.status_code == 400


def test_alpha_vantage_wants_a_key_and_says_so_with_status_200(http: httpx.Client) -> None:
    asked = {"function": "FX_DAILY", "from_symbol": "EUR", "to_symbol": "USD"}
    answer = http.get("/alpha_vantage/query", params=asked)
    assert answer.status_code == 200
    assert "apikey" in answer.json()["Error Message"]
    series = http.get("/alpha_vantage/query", params=asked | {"apikey": "k"}).json()
    assert len(series["Time Series FX (Daily)"]) == 100


@pytest.mark.parametrize(
    "path",
    [
        "/binance/api/v3/ping",
        "/binance/api/v3/time",
        "/binance/api/v3/exchangeInfo",
        "/binance/api/v3/ticker/24hr?symbol=BTCUSDT",
        "/coinbase/api/v3/brokerage/time",
        "/coinbase/api/v3/brokerage/market/products",
        PRODUCT,
        f"{PRODUCT}/ticker?limit=3",
        f"{PRODUCT}/ticker?limit=3&start=1773570000&end=1773571000",
        "/coinbase/products/BTC-USD/ticker",
        "/coinbase/products/BTC-USD/stats",
        "/kraken/0/public/Time",
        "/kraken/0/public/AssetPairs",
        "/kraken/0/public/Ticker?pair=XBTUSD",
    ],
)
def test_the_other_endpoints_answer(http: httpx.Client, path: str) -> None:
    answer = http.get(path)
    assert answer.status_code == 200
    assert answer.headers["date"] == "Sun, 15 Mar 2026 12:00:30 GMT"


def test_all_tickers_tell_the_same_price_and_day(http: httpx.Client) -> None:
    binance = http.get("/binance/api/v3/ticker/24hr?symbol=BTCUSDT").json()
    kraken = http.get("/kraken/0/public/Ticker?pair=XBTUSD").json()["result"]["XXBTZUSD"]
    ticker = http.get("/coinbase/products/BTC-USD/ticker").json()
    stats = http.get("/coinbase/products/BTC-USD/stats").json()
    last, high, volume = (float(binance[key]) for key in ("lastPrice", "highPrice", "volume"))
    assert [float(kraken["c"][0]), float(ticker["price"]), float(stats["last"])] == [last] * 3
    assert [float(kraken["h"][1]), float(stats["high"])] == [high] * 2
    assert [float(kraken["v"][1]), float(ticker["volume"]), float(stats["volume"])] == [volume] * 3


def test_the_tickers_of_the_coinbase_exchange_have_its_fields(http: httpx.Client) -> None:
    ticker = http.get("/coinbase/products/BTC-USD/ticker").json()
    stats = http.get("/coinbase/products/BTC-USD/stats").json()
    assert set(ticker) == {"trade_id", "price", "size", "time", "bid", "ask", "volume"}
    assert ticker["time"] == "2026-03-15T12:00:30.000000Z"
    assert float(ticker["bid"]) < float(ticker["ask"])
    assert set(stats) == {"open", "high", "low", "last", "volume", "volume_30day"}
    assert float(stats["volume_30day"]) > 10 * float(stats["volume"])


@pytest.mark.parametrize("endpoint", ["ticker", "stats"])
def test_the_coinbase_exchange_words_its_refusals(
    exchange: RunningExchange, http: httpx.Client, endpoint: str
) -> None:
    answer = http.get(f"/coinbase/products/NO-PE/{endpoint}")
    assert (answer.status_code, answer.json()) == (404, {"message": "NotFound"})
    exchange.change(rate_limits=1, retry_after_seconds=9)
    answer = http.get(f"/coinbase/products/BTC-USD/{endpoint}")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "9")
    assert answer.json() == {"message": "Public rate limit exceeded"}


def test_trades_rebuild_their_minute_exactly(http: httpx.Client) -> None:
    start = NOON_MS - MINUTE_MS
    since = {"pair": "XBTUSD", "since": str((start - 1) * 1_000_000)}
    rows = http.get("/kraken/0/public/Trades", params=since).json()["result"]["XXBTZUSD"]
    trades = [row for row in rows if row[2] * 1000 < NOON_MS]
    prices = [float(price) for price, *_ in trades]
    (candle,) = klines(http, startTime=start, endTime=start)
    assert [prices[0], max(prices), min(prices), prices[-1]] == [float(x) for x in candle[1:5]]
    assert sum(float(amount) for _, amount, *_ in trades) == float(candle[5])
    assert len(trades) == candle[8]


def test_binance_and_coinbase_tell_the_same_latest_trades(http: httpx.Client) -> None:
    asked = {"symbol": "BTCUSDT", "limit": "3"}
    binance = http.get("/binance/api/v3/trades", params=asked).json()
    coinbase = http.get(f"{PRODUCT}/ticker", params={"limit": "3"}).json()["trades"]
    assert [str(trade["id"]) for trade in binance] == [t["trade_id"] for t in reversed(coinbase)]
    assert all(trade["time"] <= NOW_MS for trade in binance)


def test_rate_limits_come_in_each_apis_own_shape(
    exchange: RunningExchange, http: httpx.Client
) -> None:
    exchange.change(rate_limits=1, retry_after_seconds=9)
    binance = http.get("/binance/api/v3/klines")
    assert (binance.status_code, binance.headers["retry-after"]) == (429, "9")
    assert http.get("/kraken/0/public/OHLC").json() == {"error": ["EAPI:Rate limit exceeded"]}
    assert "Note" in http.get("/alpha_vantage/query").json()


def test_the_control_endpoint_changes_faults_while_it_runs(http: httpx.Client) -> None:
    assert http.post("/control", json={"server_errors": 1, "symbols": ["ETHUSDT"]}).is_success
    asked = {"symbol": "ETHUSDT", "interval": "1d"}
    assert http.get("/binance/api/v3/klines", params=asked).status_code == 500
    assert len(klines(http, interval="1d", limit=2)) == 2
    state = http.get("/control").json()
    assert state["requests"] == {"/binance/api/v3/klines": 2}
    assert state["played"] == {"server_errors": 1}
    assert state["faults"]["symbols"] == ["ETHUSDT"]


def test_wrong_faults_are_refused_and_change_nothing(http: httpx.Client) -> None:
    before = http.get("/control").json()["faults"]
    assert http.post("/control", json={"server_errors": 7}).status_code == 422
    assert http.post("/control", content="{").status_code == 422
    assert http.post("/control", json=[1]).status_code == 422
    assert http.get("/control").json()["faults"] == before


def test_the_control_endpoint_lists_which_candles_are_broken(http: httpx.Client) -> None:
    http.post("/control", json={"corrupted_candles": 0.2})
    start, end = NOON_MS - 100 * MINUTE_MS, NOON_MS
    asked = {"symbol": "BTCUSD", "timeframe": "1m", "start": start, "end": end}
    broken = http.get("/control/corrupted", params=asked).json()
    rows = klines(http, startTime=start, endTime=end - 1)
    http.post("/control", json={"corrupted_candles": 0})
    good = {row[0]: row for row in klines(http, startTime=start, endTime=end - 1)}
    differing = {row[0] // MINUTE_MS * MINUTE_MS for row in rows if good.get(row[0]) != row}
    assert differing == {corruption["timestamp"] for corruption in broken}


def test_the_open_candle_is_never_broken(exchange: RunningExchange, http: httpx.Client) -> None:
    good = klines(http, limit=2)
    exchange.change(corrupted_candles=1)
    assert klines(http, limit=2)[-1] == good[-1]


def test_runs_as_a_process_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "port"
    command = [sys.executable, "-m", "lakehouse.simulated", "--port-file", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - ours
        assert process.stdout
        port = int(process.stdout.readline())
        try:
            assert int(file.read_text()) == port
            with httpx.Client(base_url=base_url(port, "binance"), trust_env=False) as http:
                assert http.get("/api/v3/ping").json() == {}
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(10) in (0, -signal.SIGTERM)


def test_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    with running_exchange():
        assert threading.active_count() > before
    assert threading.active_count() == before
