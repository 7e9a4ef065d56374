"""What becomes of each trade of a frame."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from lakehouse.producers.trade_rules import LARGEST_BYTES
from lakehouse.producers.trades import Outcome, TradeReader
from lakehouse.streams.rows import TRADE_SCHEMA
from tests.producers.feed_server import frame_of, trade

RECEIVED_US = 1_763_728_801_000_456
MISSING = object()


@pytest.fixture
def reader() -> TradeReader:
    return TradeReader("ws://feed")


def read(reader: TradeReader, *trades: object) -> Outcome:
    return reader.read(frame_of(*trades).encode(), RECEIVED_US)


def lines_of(outcome: Outcome, first: bytes) -> list[bytes]:
    return [line for line in outcome.lines.splitlines() if line.startswith(first)]


def record_of(outcome: Outcome) -> dict[str, Any]:
    (line,) = lines_of(outcome, b"!")
    record: dict[str, Any] = orjson.loads(line[1:])
    return record


def test_a_good_trade_becomes_a_message(reader: TradeReader) -> None:
    outcome = read(reader, trade())
    assert outcome.lines.splitlines() == [
        b"@1763728801000456",
        b'{"symbol":"BINANCE:BTCUSDT","price":67012.55,"timestamp":1763728800123,"volume":0.5,'
        b'"conditions":["1"],"processed_at":"2025-11-21T12:40:01.000456Z"}',
    ]
    assert (outcome.received, dict(outcome.rejected)) == (1, {})


@pytest.mark.parametrize("conditions", [None, MISSING, "1", {"a": 1}])
def test_conditions_that_are_no_list_are_null(reader: TradeReader, conditions: object) -> None:
    sent = {name: each for name, each in trade(c=conditions).items() if each is not MISSING}
    (message,) = lines_of(read(reader, sent), b"{")
    assert orjson.loads(message)["conditions"] is None


def test_a_whole_time_in_decimals_is_a_time(reader: TradeReader) -> None:
    (message,) = lines_of(read(reader, trade(t=1763728800123.0)), b"{")
    assert b'"timestamp":1763728800123,' in message


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"s": MISSING}, "symbol is missing"),
        ({"s": None}, "symbol is missing"),
        ({"s": ""}, "symbol is missing"),
        ({"s": 7}, "symbol is not a text"),
        ({"t": None}, "timestamp is missing"),
        ({"t": "1763728800123"}, "timestamp is not a time"),
        ({"t": True}, "timestamp is not a time"),
        ({"t": 0}, "timestamp is not a time"),
        ({"t": 1.5}, "timestamp is not a time"),
        ({"t": 10**18}, "timestamp is not a time"),
        ({"p": MISSING}, "price is missing"),
        ({"p": "67012.55"}, "price is not a number"),
        ({"p": False}, "price is not a number"),
        ({"p": 0}, "price <= 0"),
        ({"p": -1.5}, "price <= 0"),
        ({"v": None}, "volume is missing"),
        ({"v": [1]}, "volume is not a number"),
        ({"v": 0}, "volume <= 0"),
        (
            {"s": None, "t": "now", "p": 0, "v": "1"},
            "symbol is missing; timestamp is not a time; price <= 0; volume is not a number",
        ),
    ],
)
def test_a_bad_trade_is_rejected_with_its_reasons(
    reader: TradeReader, changes: dict[str, object], reason: str
) -> None:
    bad = {name: each for name, each in trade(**changes).items() if each is not MISSING}
    outcome = read(reader, trade(), bad)
    assert record_of(outcome)["reason"] == reason
    assert len(lines_of(outcome, b"{")) == 1
    assert (outcome.received, dict(outcome.rejected)) == (2, {reason: 1})


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b"<html>", "message is not JSON"),
        (b'{"type":"trade","data":[{"p":NaN}]}', "message is not JSON"),
        (b"\xff\xfe", "message is not JSON"),
        (b"[]", "message is not a trade"),
        (b"null", "message is not a trade"),
        (b'{"type":"news","data":[]}', "message is not a trade"),
        (b'{"type":"trade","data":{"p":1}}', "message is not a trade"),
        (b'{"type":"trade"}', "message is not a trade"),
        (b'{"type":"trade","data":[7]}', "message is not a trade"),
        (b'{"type":"trade","data":[["s"]]}', "message is not a trade"),
    ],
)
def test_a_frame_that_is_none_is_rejected(reader: TradeReader, frame: bytes, reason: str) -> None:
    outcome = reader.read(frame, RECEIVED_US)
    assert record_of(outcome)["reason"] == reason
    assert outcome.received == 1


def test_a_rejected_trade_fills_the_tables_columns_as_far_as_it_goes(reader: TradeReader) -> None:
    frame = b'{"type": "trade", "data": [ {"s":"A","p":1e1,"t":1763728800123,"c":["1"]} ]}'
    record = record_of(reader.read(frame, RECEIVED_US))
    assert set(TRADE_SCHEMA.names) | {"reason", "provider"} == set(record)
    assert {name: each for name, each in record.items() if each is not None} == {
        "symbol": "A",
        "timestamp": "2025-11-21T12:40:00.123000+00:00",
        "price": 10.0,
        "conditions": '["1"]',
        "occurrence": 0,
        "processed_at": "2025-11-21T12:40:01.000456Z",
        "received_at": "2025-11-21T12:40:01.000456+00:00",
        "source": "ws://feed",
        "raw": '{"s":"A","p":1e1,"t":1763728800123,"c":["1"]}',
        "reason": "volume is missing",
        "provider": "finnhub",
    }


def test_a_trade_that_no_broker_takes_is_rejected(reader: TradeReader) -> None:
    outcome = read(reader, trade(c=["x" * LARGEST_BYTES]))
    assert dict(outcome.rejected) == {"message is too large": 1}


def test_a_trade_nested_too_deeply_is_rejected(reader: TradeReader) -> None:
    deep = b"[" * 400 + b"]" * 400
    frame = b'{"type":"trade","data":[{"s":"A","p":1,"t":1,"v":1,"c":%b}]}' % deep
    assert dict(reader.read(frame, RECEIVED_US).rejected) == {"message is not a trade": 1}


def test_a_ping_and_an_error_are_no_trades(reader: TradeReader) -> None:
    assert reader.read(b'{"type":"ping"}', RECEIVED_US) == Outcome(is_ping=True)
    assert reader.read(b'{"type":"error","msg":"no"}', RECEIVED_US) == Outcome(error="no")
    assert reader.read(b'{"type":"trade","data":[]}', RECEIVED_US) == Outcome()


def test_equal_trades_of_a_connection_are_numbered(reader: TradeReader) -> None:
    outcome = read(reader, trade(), trade(p=1), trade(), trade(p=1.0), trade(c=None))
    numbers = [line.partition(b"{")[0] for line in outcome.lines.splitlines()[1:]]
    assert numbers == [b"", b"", b"1", b"1", b""]
    again = read(reader, trade())
    assert again.lines.splitlines()[1].startswith(b"2{")


def test_numbers_begin_anew_with_each_connection(reader: TradeReader) -> None:
    first = read(reader, trade(), trade())
    second = read(TradeReader("ws://feed"), trade(), trade())
    assert first.lines == second.lines
