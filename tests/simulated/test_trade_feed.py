"""What the trade feed sends over its websocket, and what it says it has sent."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import ClientConnection, connect

from lakehouse.simulated import Faults, RunningExchange, feed_url, finnhub, running_exchange, tape

BITCOIN, ETHER = "BINANCE:BTCUSDT", "BINANCE:ETHUSDT"
PING = '{"type":"ping"}'
PATIENCE_SECONDS = 30
CAPTURED = [
    '{"data":[{"c":null,"p":66972.77,"s":"BINANCE:BTCUSDT","t":1721555886208,"v":0.00008},'
    '{"c":["1","24"],"p":235.1,"s":"AAPL","t":1721037599412,"v":2}],"type":"trade"}',
    PING,
    '{"data":[{"p":-1,"s":"AAPL","t":1721037599413,"v":2}], "type":"trade"}',
    '{"data":[{"p":',
    '{"msg":"Subscribing to too many symbols","type":"error"}',
]


class Listener:
    """A client of the feed, and all the frames it was sent."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.frames: list[str] = []

    def ask(self, kind: str, symbol: str) -> None:
        self.socket.send(json.dumps({"type": kind, "symbol": symbol}))

    def read(self, count: int = 1) -> list[str]:
        """The next so many frames, as they were sent."""
        self.frames += [str(self.socket.recv(timeout=PATIENCE_SECONDS)) for _ in range(count)]
        return self.frames[-count:]

    def answer(self) -> dict[str, Any]:
        """The next complaint."""
        while (message := json.loads(self.socket.recv(PATIENCE_SECONDS)))["type"] != "error":
            pass
        found: dict[str, Any] = message
        return found

    def settle(self) -> None:
        """Go on when all that was asked for before is in force."""
        self.ask("subscribe", "BINANCE:NOPE")
        assert self.answer()["msg"] == "Invalid symbol: BINANCE:NOPE"

    def read_all(self, state: dict[str, Any]) -> None:
        """Until it has been sent everything that was emitted."""
        while tally(self.frames) != {name: state[name] for name in ("good", "bad", "malformed")}:
            self.read()


@contextmanager
def listening(exchange: RunningExchange, *symbols: str) -> Iterator[Listener]:
    with connect(f"{exchange.feed_url}?token=any", proxy=None, max_queue=None) as socket:
        listener = Listener(socket)
        for symbol in symbols:
            listener.ask("subscribe", symbol)
        yield listener


def trades_in(frame: str) -> list[Any]:
    """The trades of a frame that can be read."""
    try:
        message = json.loads(frame)
    except ValueError:
        return []
    trades = message.get("data")
    return trades if message["type"] == "trade" and isinstance(trades, list) else []


def is_good(trade: dict[str, Any]) -> bool:
    kinds = {"s": str, "t": int, "p": int | float, "v": int | float}
    if not all(isinstance(trade.get(name), kind) for name, kind in kinds.items()):
        return False
    return bool(trade["p"] > 0 and trade["v"] > 0)


def tally(frames: list[str]) -> dict[str, int]:
    found = [trades_in(frame) for frame in frames]
    good = sum(is_good(trade) for trades in found for trade in trades)
    bad = sum(map(len, found)) - good
    malformed = sum(not trades for trades in found) - frames.count(PING)
    return {"good": good, "bad": bad, "malformed": malformed}


def good_trades(frames: list[str]) -> list[list[Any]]:
    trades = [trade for frame in frames for trade in trades_in(frame) if is_good(trade)]
    return [[trade["s"], trade["t"], trade["p"], trade["v"]] for trade in trades]


def get(exchange: RunningExchange, path: str) -> str:
    return httpx.get(f"{exchange.url}{path}", trust_env=False).text


def state_of(exchange: RunningExchange) -> dict[str, Any]:
    state: dict[str, Any] = json.loads(get(exchange, "/control/trades"))
    return state


def log_of(exchange: RunningExchange) -> list[list[Any]]:
    return [json.loads(line) for line in get(exchange, "/control/trades/log").splitlines()]


def stopped(exchange: RunningExchange) -> dict[str, Any]:
    """Have no more trades made, and tell how many there were."""
    exchange.change(trades_per_second=0)
    return state_of(exchange)


def await_trades(exchange: RunningExchange, count: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while state_of(exchange)["sent"] < count:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture(scope="module")
def lively() -> Iterator[RunningExchange]:
    with running_exchange(trades_per_second=1000) as exchange:
        yield exchange


def test_trades_come_in_finnhubs_shape_now_and_at_the_markets_price(
    lively: RunningExchange,
) -> None:
    with listening(lively, BITCOIN) as listener:
        message = json.loads(listener.read()[0])
    ticker = json.loads(get(lively, "/binance/api/v3/ticker/24hr?symbol=BTCUSDT"))
    trade = message["data"][0]
    assert (set(message), message["type"]) == ({"data", "type"}, "trade")
    assert (set(trade), trade["s"], trade["c"]) == (set("cpstv"), BITCOIN, None)
    assert trade["p"] == pytest.approx(float(ticker["lastPrice"]), rel=0.02)
    assert trade["t"] == pytest.approx(time.time() * 1000, abs=30_000)


def test_stocks_are_traded_as_well_and_have_conditions(lively: RunningExchange) -> None:
    with listening(lively, "AAPL") as listener:
        trade = trades_in(listener.read()[0])[0]
    assert is_good(trade)
    assert (trade["s"], trade["c"]) == ("AAPL", ["1"])


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        ('{"type":"subscribe","symbol":"BINANCE:NOPE"}', "Invalid symbol: BINANCE:NOPE"),
        ('{"type":"subscribe","symbol":"btcusdt"}', "Invalid symbol: btcusdt"),
        ('{"type":"subscribe","symbol":":BTCUSDT"}', "Invalid symbol: :BTCUSDT"),
        ('{"type":"subscribe","symbol":"BINANCE:LTCUSDT"}', "Invalid symbol: BINANCE:LTCUSDT"),
        ('{"type":"subscribe"}', "Missing symbol"),
        ('{"type":"unsubscribe","symbol":7}', "Missing symbol"),
        ('{"type":"hello"}', "Unknown message type"),
        ("[1]", "Unknown message type"),
        ("{", "Invalid JSON"),
    ],
)
def test_wrong_requests_are_told_so(lively: RunningExchange, request_: str, problem: str) -> None:
    lively.change(delisted=["LTCUSDT"])
    with listening(lively) as listener:
        listener.socket.send(request_)
        assert listener.answer() == {"msg": problem, "type": "error"}


def test_pings_come_without_any_subscription(
    lively: RunningExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finnhub, "PING_SECONDS", 0.1)
    with listening(lively) as listener:
        assert listener.read(2) == [PING] * 2


def test_what_is_unsubscribed_comes_no_more(lively: RunningExchange) -> None:
    with listening(lively, BITCOIN, ETHER) as listener:
        listener.ask("unsubscribe", BITCOIN)
        listener.settle()
        trades = [trade for frame in listener.read(20) for trade in trades_in(frame)]
    assert {trade["s"] for trade in trades} == {ETHER}


def test_two_clients_see_the_same_trades(lively: RunningExchange) -> None:
    with listening(lively, BITCOIN, ETHER) as first:
        first.settle()
        with listening(lively, ETHER, BITCOIN) as second:
            second.settle()
            second.read(10)
        while first.frames[-1:] != second.frames[-1:]:
            first.read()
    assert first.frames[-10:] == second.frames


def test_nothing_is_emitted_before_anybody_subscribes_and_then_it_does_not_end() -> None:
    with running_exchange(trades_per_second=1000) as exchange:
        with listening(exchange):
            time.sleep(0.1)
            assert state_of(exchange)["sent"] == 0
        with listening(exchange, BITCOIN) as listener:
            listener.read()
        await_trades(exchange, state_of(exchange)["sent"] + 100)


def test_the_log_tells_exactly_what_was_sent() -> None:
    with running_exchange(trades_per_second=5000, keep_log=True) as exchange:
        with listening(exchange, BITCOIN, ETHER, "AAPL") as listener:
            await_trades(exchange, 1000)
            state = stopped(exchange)
            listener.read_all(state)
        assert log_of(exchange) == good_trades(listener.frames)
        assert state == {**state, "sent": state["good"], "bad": 0, "is_done": False}


def test_trades_differ_save_a_few_twins() -> None:
    with running_exchange(trades_per_second=100_000, keep_log=True) as exchange:
        with listening(exchange, BITCOIN, ETHER):
            await_trades(exchange, 30_000)
            stopped(exchange)
        log = log_of(exchange)
    seen = Counter(tuple(trade) for trade in log)
    twins = [one for one, other in pairwise(log) if one == other]
    assert set(seen.values()) == {1, 2}
    assert 0 < len(twins) == len(log) - len(seen) < len(log) / 300


def test_who_comes_back_is_sent_again_what_was_missed() -> None:
    with running_exchange(trades_per_second=5000, resend_seconds=60, keep_log=True) as exchange:
        with listening(exchange, BITCOIN) as first:
            first.read(3)
        await_trades(exchange, 1000)
        with listening(exchange, BITCOIN) as second:
            second.read(len(first.frames))
            assert second.frames == first.frames
            await_trades(exchange, state_of(exchange)["sent"] + 500)
            second.read_all(stopped(exchange))
        assert good_trades(second.frames) == log_of(exchange)


def test_each_symbol_is_sent_again_once() -> None:
    with running_exchange(trades_per_second=5000, resend_seconds=60) as exchange:
        with listening(exchange, BITCOIN, ETHER):
            await_trades(exchange, 500)
        with listening(exchange, ETHER, BITCOIN, ETHER) as listener:
            listener.read(5)
            listener.read_all(stopped(exchange))
    assert len(set(listener.frames)) == len(listener.frames)


def test_broken_trades_and_frames_are_extra_and_counted() -> None:
    faults = {"bad_trades": 0.2, "malformed_frames": 1, "trades_per_second": 2000}
    with running_exchange(**faults, keep_log=True) as exchange:
        with listening(exchange, BITCOIN) as listener:
            await_trades(exchange, 1000)
            state = stopped(exchange)
            listener.read_all(state)
        assert good_trades(listener.frames) == log_of(exchange)
    assert 0.1 < state["bad"] / state["good"] < 0.3
    assert state["malformed"] == len(listener.frames) / 2
    assert state["sent"] == state["good"] + state["bad"]


def test_faults_for_other_symbols_leave_the_feed_alone() -> None:
    faults = {"bad_trades": 1, "malformed_frames": 1, "symbols": ["ETHUSDT"]}
    with (
        running_exchange(trades_per_second=2000, **faults) as exchange,
        listening(exchange, BITCOIN, ETHER) as listener,
    ):
        frames = [frame for frame in listener.read(40) if BITCOIN in frame]
    assert frames
    assert tally(frames)["bad"] == tally(frames)["malformed"] == 0


def test_a_recording_of_frames_is_played_once_and_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "captured.jsonl"
    file.write_text("\n".join(CAPTURED) + "\n")
    with (
        running_exchange(recording=file, trades_per_second=1000, keep_log=True) as exchange,
        listening(exchange, ETHER) as listener,
    ):
        assert listener.read(len(CAPTURED)) == CAPTURED
        listener.settle()
        assert log_of(exchange) == good_trades(CAPTURED)
        state = {"sent": 3, "good": 2, "bad": 1, "malformed": 1, "is_done": True}
        assert state_of(exchange) == state


@pytest.mark.parametrize("name", ["XRP_ETH-trades.json", "XRP_ETH-trades.json.gz"])
def test_a_recording_of_trades_is_played_in_order(tmp_path: Path, name: str) -> None:
    rows = [[1570752011620 + i // 3, str(i), None, "sell", 0.0014, i + 1.0, 1] for i in range(250)]
    content = json.dumps(rows).encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    with (
        running_exchange(recording=tmp_path / name, trades_per_second=10_000) as exchange,
        listening(exchange, ETHER) as listener,
    ):
        listener.read_all({"good": 250, "bad": 0, "malformed": 0})
        assert state_of(exchange)["is_done"]
    assert good_trades(listener.frames) == [
        ["BINANCE:XRPETH", time_ms, price, amount] for time_ms, _, _, _, price, amount, _ in rows
    ]


def test_a_recording_can_be_put_on_while_it_runs(tmp_path: Path) -> None:
    file = tmp_path / "captured.jsonl"
    file.write_text(CAPTURED[0])
    with running_exchange(trades_per_second=1000) as exchange:
        with listening(exchange, BITCOIN) as listener:
            listener.read()
            body = {"recording": str(file)}
            answer = httpx.post(f"{exchange.url}/control", json=body, trust_env=False)
            while listener.frames[-1] != CAPTURED[0]:
                listener.read()
        assert answer.json()["faults"]["recording"] == str(file)
        assert state_of(exchange)["is_done"]


@pytest.mark.parametrize("name", ["missing.jsonl", "there.csv"])
def test_what_cannot_be_played_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "there.csv").touch()
    with pytest.raises(ValidationError, match="ends in"):
        Faults(recording=tmp_path / name)


def test_connections_are_cut_when_their_time_is_up() -> None:
    with (
        running_exchange(disconnect_seconds=0.2, trades_per_second=1000) as exchange,
        listening(exchange, BITCOIN) as listener,
        pytest.raises(ConnectionClosedError) as cut,
    ):
        listener.read(1_000_000)
    assert cut.value.rcvd is None


def test_who_reads_too_slowly_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tape, "MOST_CHARACTERS", 0)
    with (
        running_exchange(trades_per_second=1000) as exchange,
        listening(exchange, BITCOIN) as listener,
        pytest.raises(ConnectionClosedError),
    ):
        listener.read(1_000_000)


def test_the_process_ends_at_once_though_somebody_listens() -> None:
    command = [sys.executable, "-m", "lakehouse.simulated"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - ours
        assert process.stdout
        with connect(feed_url(int(process.stdout.readline())), proxy=None) as socket:
            Listener(socket).ask("subscribe", BITCOIN)
            socket.recv(PATIENCE_SECONDS)
            process.send_signal(signal.SIGTERM)
            assert process.wait(5) in (0, -signal.SIGTERM)
