"""Tickers from a real topic: bronze has what was said, silver what can be believed."""

from __future__ import annotations

from typing import Any

from tests.streams.conftest import Streamed, at


def ticker(seconds: float, **changes: Any) -> dict[str, Any]:
    return {
        "symbol": "BTCUSD",
        "price": 60_000.0,
        "volume": 1_000.0,
        "change_24h": 1.5,
        "timestamp": at(seconds),
        "exchange": "binance",
        **changes,
    }


def test_tickers_are_landed_once_and_silver_has_those_that_can_be_believed(
    prices: Streamed,
) -> None:
    good = [ticker(n, exchange=name) for n in range(3) for name in ("binance", "kraken")]
    odd = [
        ticker(10, price=0.0),
        ticker(11, volume=-1.0),
        ticker(12, change_24h=-50.1),
        ticker(13, change_24h=100.1),
        ticker(14, change_24h=None),
    ]
    broken = [ticker(20, timestamp=None), ticker(21, exchange=None), b"[]"]
    prices.send(*good, *odd, *broken, good[0])
    prices.land()
    prices.send(*good)
    prices.land()
    assert len(prices.bronze) == len(good) + len(odd)
    assert len(prices.silver) == len(good) + 1
    found = sorted((letter.table, letter.error, letter.records) for letter in prices.letters)
    assert found == [
        ("bronze.raw_prices", "exchange is missing", 1),
        ("bronze.raw_prices", "message is not an object", 1),
        ("bronze.raw_prices", "timestamp is missing", 1),
        ("silver.stg_prices", "price <= 0", 1),
        ("silver.stg_prices", "price changed by less than -50 % or more than 100 %", 2),
        ("silver.stg_prices", "volume < 0", 1),
    ]
    assert prices.silver["price_date"].unique().to_list() == [prices.bronze["price_date"][0]]
