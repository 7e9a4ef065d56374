"""The dialects the exchange speaks: for each its endpoints, and how it words its own failures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lakehouse.simulated import alpha_vantage, binance, coinbase, coinbase_exchange, kraken, oanda
from lakehouse.simulated.exchange import Exchange, Params, Refusal

Endpoint = Callable[[Exchange, Params], Any]
COINBASE = "/api/v3/brokerage"


@dataclass(frozen=True, slots=True)
class Dialect:
    """`prefix` is the first part of its paths, where that is not its name."""

    error: Callable[[str, Exchange], Refusal]
    endpoints: Mapping[str, Endpoint]
    prefix: str | None = None


DIALECTS = {
    "binance": Dialect(
        binance.error,
        {
            "/api/v3/ping": binance.ping,
            "/api/v3/time": binance.time,
            "/api/v3/exchangeInfo": binance.exchange_info,
            "/api/v3/klines": binance.klines,
            "/api/v3/ticker/24hr": binance.ticker,
            "/api/v3/trades": binance.trades,
        },
    ),
    "coinbase": Dialect(
        coinbase.error,
        {
            f"{COINBASE}/time": coinbase.time,
            f"{COINBASE}/market/products": coinbase.products,
            f"{COINBASE}/market/products/{{product_id}}": coinbase.product,
            f"{COINBASE}/market/products/{{product_id}}/candles": coinbase.candles,
            f"{COINBASE}/market/products/{{product_id}}/ticker": coinbase.ticker,
        },
    ),
    "coinbase_exchange": Dialect(
        coinbase_exchange.error,
        {
            "/products/{product_id}/ticker": coinbase_exchange.ticker,
            "/products/{product_id}/stats": coinbase_exchange.stats,
        },
        prefix="coinbase",
    ),
    "kraken": Dialect(
        kraken.error,
        {
            "/0/public/Time": kraken.time,
            "/0/public/AssetPairs": kraken.asset_pairs,
            "/0/public/OHLC": kraken.ohlc,
            "/0/public/Ticker": kraken.ticker,
            "/0/public/Trades": kraken.trades,
        },
    ),
    "alpha_vantage": Dialect(alpha_vantage.error, {"/query": alpha_vantage.query}),
    "oanda": Dialect(oanda.error, {"/v3/instruments/{instrument}/candles": oanda.candles}),
}
