"""The producers as processes, on a real broker: nothing accepted is lost, whoever is killed."""

from __future__ import annotations

import os
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import psutil
import pytest
from confluent_kafka import Consumer, Message, TopicPartition

from lakehouse import services
from lakehouse.dead_letters.letter import open_letter
from lakehouse.exchange import exchange_service
from lakehouse.kafka import client_config, ensure_broker
from lakehouse.producers import producer_service
from lakehouse.services import Running
from lakehouse.settings import Settings, Topic
from tests.conftest import settings_for
from tests.killing import kill
from tests.producers.feed_server import FeedServer, feed_server, frame_of, trade

pytestmark = pytest.mark.e2e
SECONDS = 90
TOKEN = "open-sesame"  # noqa: S105 - nobody's


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    settings = settings_for(tmp_path_factory.mktemp("producers"))
    kafka = settings.kafka.model_copy(update={"port": 0, "heap": "256m"})
    settings = settings.model_copy(update={"kafka": kafka})
    ensure_broker(settings)
    yield settings
    services.stop_all(settings.lake)


@pytest.fixture
def trades(broker: Settings, request: pytest.FixtureRequest) -> Settings:
    """Settings of the broker's lake, with a topic for this test alone."""
    return _with_topic(broker, "trades", request.node.name)


def _with_topic(settings: Settings, stream: str, name: str) -> Settings:
    kafka = settings.kafka.model_copy(update={stream: Topic(name=name)})
    return settings.model_copy(update={"kafka": kafka})


def _with_feed(settings: Settings, feed: FeedServer) -> Settings:
    options = settings.streams.trade_feed.model_copy(
        update={"url": feed.url, "metrics_port": 0, "backoff_seconds": 0.05}
    )
    streams = settings.streams.model_copy(update={"trade_feed": options})
    return settings.model_copy(update={"streams": streams})


@contextmanager
def producing(settings: Settings, stream: Any = "trades") -> Iterator[Running]:
    running = producer_service(settings, stream).ensure()
    try:
        yield running
    finally:
        services.stop(settings.lake, running.name)


def eventually(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def counted(running: Running, name: str) -> float:
    url = f"http://127.0.0.1:{running.port}/metrics"
    with urllib.request.urlopen(url, timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    wanted = f"pipeline_producer_{name}_total{{"
    return sum(float(line.split()[-1]) for line in lines if line.startswith(wanted))


def messages_in(settings: Settings, topic: str) -> list[Message]:
    """All there are, in the order of their partitions."""
    consumer = Consumer({**client_config(settings), "group.id": "test"})
    try:
        partitions = [TopicPartition(topic, number, 0) for number in range(2)]
        ends = [consumer.get_watermark_offsets(each, timeout=20)[1] for each in partitions]
        consumer.assign(partitions)
        found: list[Message] = []
        while len(found) < sum(ends):
            found += consumer.consume(1000, 1)
        return found
    finally:
        consumer.close()


def prices_of(settings: Settings) -> set[float]:
    messages = messages_in(settings, settings.kafka.trades.name)
    return {orjson.loads(message.value() or b"")["price"] for message in messages}


def frames(first: int, last: int) -> list[str]:
    """Trades that are told apart by their price, ten a frame."""
    prices = range(first, last, 10)
    return [frame_of(*(trade(p=price + each) for each in range(10))) for price in prices]


def test_trades_arrive_with_key_occurrence_and_shape(
    trades: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKEHOUSE__STREAMS__TRADE_FEED__TOKEN", TOKEN)
    frame = frame_of(trade(), trade(s="A\"'", c=None), trade(), trade(p=0))
    with feed_server([frame]) as feed, producing(_with_feed(trades, feed)) as running:
        eventually(lambda: counted(running, "produced") == 3)
        services.stop(trades.lake, running.name)
        assert feed.paths == [f"/feed?token={TOKEN}"]
    messages = messages_in(trades, trades.kafka.trades.name)
    (other,) = (message for message in messages if message.key() == b"A\"'")
    assert orjson.loads(other.value() or b"")["symbol"] == "A\"'"
    first, second = (message for message in messages if message.key() == b"BINANCE:BTCUSDT")
    assert (first.headers(), second.headers()) == (None, [("occurrence", b"1")])
    value = orjson.loads(first.value() or b"")
    assert value.pop("processed_at").endswith("Z")
    assert value == {
        "symbol": "BINANCE:BTCUSDT",
        "price": 67012.55,
        "timestamp": 1763728800123,
        "volume": 0.5,
        "conditions": ["1"],
    }
    _check_letter(trades.lake)


def _check_letter(lake: Path) -> None:
    (path,) = (lake / "dlq" / "raw_trades").glob("dlq_*.json")
    letter = open_letter(path)
    assert (letter.error, letter.records) == ("price <= 0", 1)
    log = (lake / ".services" / "trades-producer.log").read_text()
    assert "feed_connected" in log
    assert TOKEN not in path.read_text() + log


def test_what_was_accepted_survives_a_producer_killed_while_the_broker_is_away(
    trades: Settings,
) -> None:
    broker = psutil.Process(ensure_broker(trades).pid)
    with feed_server(frames(1, 3001)) as feed:
        settings = _with_feed(trades, feed)
        with producing(settings) as running:
            eventually(lambda: counted(running, "produced") == 3000)
            broker.suspend()
            try:
                for frame in frames(3001, 6001):
                    feed.send(frame)
                eventually(lambda: counted(running, "valid") == 6000)
                kill(running)
            finally:
                broker.resume()
        with producing(settings) as running:
            eventually(lambda: counted(running, "produced") >= 3000)
    assert prices_of(settings) == set(map(float, range(1, 6001)))


def test_it_goes_on_by_itself_when_the_broker_is_back(trades: Settings) -> None:
    with feed_server(frames(1, 1001)) as feed, producing(_with_feed(trades, feed)) as running:
        eventually(lambda: counted(running, "produced") == 1000)
        kill(ensure_broker(trades))
        for frame in frames(1001, 2001):
            feed.send(frame)
        eventually(lambda: counted(running, "valid") == 2000)
        ensure_broker(trades)
        eventually(lambda: counted(running, "produced") >= 2000)
    assert prices_of(trades) == set(map(float, range(1, 2001)))


def test_at_the_end_it_hands_over_what_it_accepted(trades: Settings) -> None:
    with feed_server(frames(1, 20_001)) as feed, producing(_with_feed(trades, feed)) as running:
        eventually(lambda: counted(running, "valid") > 5000)
        process = psutil.Process(running.pid)
        process.terminate()
        accepted = _accepted_until_the_end(running)
        eventually(lambda: process.status() == psutil.STATUS_ZOMBIE)
        assert os.waitpid(running.pid, 0)[1] == 0
    prices = prices_of(trades)
    assert len(prices) >= accepted
    assert prices == set(map(float, range(1, len(prices) + 1)))
    folder = trades.lake / "producers" / "trades"
    (segment,) = (folder / "journal").glob("*.log")
    position = orjson.loads((folder / "position.json").read_bytes())
    assert position == {"segment": int(segment.stem), "offset": segment.stat().st_size}


def _accepted_until_the_end(running: Running) -> float:
    try:
        return counted(running, "valid")
    except OSError:
        return 0


def test_prices_of_the_embedded_exchange_arrive(broker: Settings) -> None:
    settings = _with_topic(broker, "prices", "some-prices")
    poll = settings.streams.ticker_poll.model_copy(
        update={"every_seconds": 0.5, "metrics_port": 0, "assets": ("BTCUSD",)}
    )
    streams = settings.streams.model_copy(update={"ticker_poll": poll})
    settings = settings.model_copy(update={"streams": streams})
    with producing(settings, "prices") as running:
        eventually(lambda: counted(running, "produced") >= 6)
        kill(exchange_service(settings).ensure())
        before = counted(running, "produced")
        eventually(lambda: counted(running, "produced") >= before + 6)
    messages = messages_in(settings, "some-prices")
    values = [orjson.loads(message.value() or b"") for message in messages]
    assert {message.key() for message in messages} == {b"BTCUSD"}
    assert {value["exchange"] for value in values} == {"binance", "coinbase", "kraken"}
    names = ["symbol", "price", "volume", "change_24h", "timestamp", "exchange"]
    assert all(list(value) == names for value in values)
