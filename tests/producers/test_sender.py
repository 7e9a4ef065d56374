"""The sender when Kafka does not simply take what it is given."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka import KafkaError, KafkaException

from lakehouse.producers import outbox
from lakehouse.producers import sender as module
from lakehouse.producers.journal import Journal, Position
from lakehouse.producers.letters import Letters
from lakehouse.producers.metrics import Metrics
from lakehouse.producers.outbox import Outbox
from lakehouse.producers.sender import Sender
from lakehouse.producers.trades import TradeReader
from tests.producers.feed_server import frame_of, trade

FATAL = KafkaError(KafkaError._FATAL, "out of sequence", fatal=True)
RECEIVED_US = 1_763_728_801_000_456


class Broker:
    """Takes messages; before that, it fails as often and in the ways that a test says."""

    def __init__(self) -> None:
        self.is_away = False
        self.reports: list[KafkaError] = []
        self.refusals: list[KafkaError] = []
        self.messages: list[bytes] = []
        self.producers = 0

    def new_producer(self) -> Any:
        self.producers += 1
        return _Producer(self)


class _Producer:
    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._waiting: list[tuple[bytes, Callable[..., None]]] = []

    def produce(
        self, topic: str, value: bytes, key: bytes, on_delivery: Callable[..., None], **_: Any
    ) -> None:
        if self._broker.refusals:
            raise KafkaException(self._broker.refusals.pop())
        self._waiting.append((value, on_delivery))

    def flush(self, seconds: float) -> int:
        if self._broker.is_away:
            time.sleep(min(seconds, 0.01))
            return len(self._waiting)
        for value, report in self._waiting:
            if self._broker.reports:
                report(self._broker.reports.pop(), None)
            else:
                self._broker.messages.append(value)
        self._waiting.clear()
        return 0

    def purge(self) -> None:
        self._waiting.clear()


class Sending:
    """A sender in its thread."""

    def __init__(self, lake: Path) -> None:
        self.lake = lake
        self.broker = Broker()
        self.journal = Journal(lake / "journal", "trades")
        letters = Letters(lake, "trades", "bronze.raw_trades")
        box = Outbox("t", self.broker.new_producer)
        self.sender = Sender(self.journal, box, letters, Metrics("trades"))
        self._thread = threading.Thread(target=self.sender.run)

    def accept(self, *trades: object) -> None:
        frame = frame_of(*trades).encode()
        self.journal.append(TradeReader("ws://feed").read(frame, RECEIVED_US).lines)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self.sender.stop()
        self._thread.join()

    @property
    def prices(self) -> list[float]:
        return [orjson.loads(message)["price"] for message in self.broker.messages]


@pytest.fixture
def sending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sending]:
    monkeypatch.setattr(outbox, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(module, "FLUSH_SECONDS", 0.3)
    sending = Sending(tmp_path)
    yield sending
    sending.journal.close()


def test_everything_is_sent_and_confirmed(sending: Sending) -> None:
    sending.accept(trade(p=1), trade(p=2))
    sending.start()
    sending.end()
    assert sending.prices == [1.0, 2.0]
    assert sending.journal.backlog_bytes() == 0


@pytest.mark.parametrize("way", ["reports", "refusals"])
def test_after_a_failure_a_new_producer_sends_all_again(sending: Sending, way: str) -> None:
    setattr(sending.broker, way, [FATAL])
    sending.accept(trade(p=1), trade(p=2))
    sending.start()
    sending.end()
    assert sending.prices[-2:] == [1.0, 2.0]
    assert sending.broker.producers == 2


def test_what_no_broker_took_before_the_end_stays_in_the_journal(sending: Sending) -> None:
    sending.broker.is_away = True
    sending.accept(trade(p=1), trade(p=0))
    sending.start()
    sending.end()
    assert sending.prices == []
    assert sending.journal.confirmed == Position(1, 0)
    assert not (sending.lake / "dlq").exists()


def test_a_failure_that_does_not_pass_ends_in_time(sending: Sending) -> None:
    sending.broker.reports = [FATAL] * 1_000_000
    sending.accept(trade(p=1))
    sending.start()
    sending.end()
    assert sending.journal.confirmed == Position(1, 0)


def test_a_rejected_trade_is_a_letter_before_it_is_confirmed(sending: Sending) -> None:
    sending.accept(trade(p=1), trade(p=0))
    sending.start()
    sending.end()
    (letter,) = (sending.lake / "dlq" / "raw_trades").glob("dlq_*.json")
    assert orjson.loads(letter.read_bytes())["error"] == "price <= 0"
    assert sending.journal.backlog_bytes() == 0


def test_nothing_is_confirmed_beyond_a_record_without_its_letter(sending: Sending) -> None:
    sender = sending.sender
    sending.accept(trade(p=1), trade(p=0))
    data, start, end = sending.journal.read(Position(1, 0), 10_000)
    assert sender._settle(data, start)
    sender._confirm(end)
    assert data[sending.journal.confirmed.offset :].startswith(b"!{")
