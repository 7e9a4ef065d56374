"""What becomes of a ticker, in each dialect."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from lakehouse.producers.prices import Quote, price_lines, reasons_against
from lakehouse.producers.tickers import TICKER_DIALECTS, Ticker
from lakehouse.sources.problems import Limited, Unavailable
from lakehouse.streams.rows import PRICE_SCHEMA

QUOTE = Quote("kraken", "BTCUSD", 1_763_728_801_000_456, "http://kraken", "{…}")
NOW_MS = 1_763_728_800_123


def ticker(**changes: Any) -> Ticker:
    return Ticker(**{"price": "1.5", "volume": "2", "change_24h": "-3", "timestamp": 5, **changes})


def test_a_good_ticker_becomes_a_message() -> None:
    lines, reasons = price_lines(QUOTE, ticker())
    assert lines.splitlines() == [
        b"@1763728801000456",
        b'{"symbol":"BTCUSD","price":1.5,"volume":2.0,"change_24h":-3.0,"timestamp":5,'
        b'"exchange":"kraken"}',
    ]
    assert not reasons


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({"price": None}, ["price is missing"]),
        ({"price": "n/a"}, ["price is not a number"]),
        ({"price": "NaN"}, ["price is not a number"]),
        ({"price": "0"}, ["price <= 0"]),
        ({"volume": None}, ["volume is missing"]),
        ({"volume": {}}, ["volume is not a number"]),
        ({"volume": -1}, ["volume < 0"]),
        ({"timestamp": None}, ["timestamp is missing"]),
        ({"timestamp": "soon"}, ["timestamp is not a time"]),
        ({"price": 0, "volume": None}, ["price <= 0", "volume is missing"]),
        ({"volume": 0}, []),
        ({"change_24h": None}, []),
    ],
)
def test_a_bad_ticker_has_its_reasons(changes: dict[str, Any], reasons: list[str]) -> None:
    assert reasons_against(ticker(**changes)) == reasons


def test_a_rejected_ticker_fills_the_tables_columns_as_far_as_it_goes() -> None:
    lines, _ = price_lines(QUOTE, ticker(price="n/a"))
    record = orjson.loads(lines.splitlines()[1][1:])
    assert set(PRICE_SCHEMA.names) | {"reason", "provider"} == set(record)
    assert {name: each for name, each in record.items() if each is not None} == {
        "symbol": "BTCUSD",
        "timestamp": "1970-01-01T00:00:00.005000+00:00",
        "volume": 2.0,
        "change_24h": -3.0,
        "exchange": "kraken",
        "received_at": "2025-11-21T12:40:01.000456+00:00",
        "source": "http://kraken",
        "raw": "{…}",
        "reason": "price is not a number",
        "provider": "kraken",
    }


def test_binance_says_it_all_at_once() -> None:
    day = {"lastPrice": "2", "volume": "3", "priceChangePercent": "4", "closeTime": 5}
    assert TICKER_DIALECTS["binance"].read([day], NOW_MS) == Ticker("2", "3", "4", 5)


def test_coinbase_has_the_change_from_its_statistics() -> None:
    answer = {"price": "110", "volume": "3", "time": "2025-11-21T12:40:00.123456789Z"}
    read = TICKER_DIALECTS["coinbase"].read([answer, {"open": "100"}], NOW_MS)
    assert (read.price, read.volume, read.timestamp) == ("110", "3", NOW_MS)
    assert read.change_24h == pytest.approx(10)


def test_kraken_has_no_time_and_a_change_since_midnight() -> None:
    figures = {"c": ["110", "1"], "v": ["1", "3"], "o": "100"}
    read = TICKER_DIALECTS["kraken"].read([{"error": [], "result": {"XXBTZUSD": figures}}], NOW_MS)
    assert (read.price, read.volume, read.timestamp) == ("110", "3", NOW_MS)
    assert read.change_24h == pytest.approx(10)


@pytest.mark.parametrize(
    ("text", "kind"),
    [("EAPI:Rate limit exceeded", Limited), ("EService:Unavailable", Unavailable)],
)
def test_kraken_tells_errors_with_success(text: str, kind: type[Exception]) -> None:
    with pytest.raises(kind, match=text):
        TICKER_DIALECTS["kraken"].read([{"error": [text]}], NOW_MS)
