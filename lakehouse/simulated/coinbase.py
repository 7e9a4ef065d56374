"""Coinbase's dialect: Advanced Trade, public market data. Figures are texts, newest comes first.

A candle's `start` is a text of seconds, both ends of a range are inclusive, a range of more than
350 candles is refused, and where nobody traded there is no candle.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from lakehouse.simulated.dayview import last_day
from lakehouse.simulated.exchange import Exchange, Params, Refusal
from lakehouse.simulated.market import DAY_MS, MINUTE_MS
from lakehouse.simulated.pairs import LEVELS_USD, Pair
from lakehouse.simulated.trades import Trade, latest_trades, trades_between

GRANULARITIES = {
    "ONE_MINUTE": MINUTE_MS,
    "FIVE_MINUTE": 5 * MINUTE_MS,
    "FIFTEEN_MINUTE": 15 * MINUTE_MS,
    "THIRTY_MINUTE": 30 * MINUTE_MS,
    "ONE_HOUR": 60 * MINUTE_MS,
    "TWO_HOUR": 120 * MINUTE_MS,
    "SIX_HOUR": 360 * MINUTE_MS,
    "ONE_DAY": DAY_MS,
}
MAX_CANDLES = 350
MAX_TRADES = 1000


def error(kind: str, exchange: Exchange) -> Refusal:
    if kind == "rate_limits":
        wait = {"retry-after": str(exchange.faults.retry_after_seconds)}
        return _refusal(429, "RESOURCE_EXHAUSTED", "too many requests", wait)
    return _refusal(500, "INTERNAL", "internal server error")


def _refusal(status: int, kind: str, text: str, headers: dict[str, str] | None = None) -> Refusal:
    return Refusal(status, {"error": kind, "error_details": text, "message": text}, headers)


def candles(exchange: Exchange, params: Params) -> dict[str, Any]:
    pair = _pair(exchange, params["product_id"])
    if params.get("granularity") not in GRANULARITIES:
        raise _refusal(400, "INVALID_ARGUMENT", "granularity argument is invalid")
    step_ms = GRANULARITIES[params["granularity"]]
    start, end = _seconds(params, "start") * 1000, _seconds(params, "end") * 1000
    if (end - start) // step_ms >= MAX_CANDLES:
        problem = f"number of candles requested should be less than {MAX_CANDLES}"
        raise _refusal(400, "INVALID_ARGUMENT", f"start and end argument is invalid - {problem}")
    found = exchange.candles(pair, step_ms, start, end + 1)
    rows = exchange.rows(pair, step_ms, found.take(found.trades > 0), decimals=pair.decimals)
    return {
        "candles": [
            {
                "start": str(row.timestamp // 1000),
                "low": row.low,
                "high": row.high,
                "open": row.open,
                "close": row.close,
                "volume": row.volume,
            }
            for row in reversed(rows)
        ]
    }


def products(exchange: Exchange, params: Params) -> dict[str, Any]:
    pairs = [Pair(base, "USD") for base in LEVELS_USD if not base.startswith("USD")]
    listed = [pair for pair in pairs if exchange.faults.lists(pair.name)]
    return {"products": [_product(exchange, pair) for pair in listed], "num_products": len(listed)}


def product(exchange: Exchange, params: Params) -> dict[str, Any]:
    return _product(exchange, _pair(exchange, params["product_id"]))


def ticker(exchange: Exchange, params: Params) -> dict[str, Any]:
    """The latest trades, or those between `start` and `end`."""
    pair = _pair(exchange, params["product_id"])
    limit = min(int(params.get("limit", "100")), MAX_TRADES)
    if "start" in params:
        start, end = _seconds(params, "start") * 1000, _seconds(params, "end") * 1000
        trades = trades_between(exchange, pair, start, min(end, exchange.now_ms()) + 1, limit)
    else:
        trades = latest_trades(exchange, pair, limit)
    last = last_day(exchange, pair).last
    return {
        "trades": [_trade(pair, trade) for trade in reversed(trades)],
        "best_bid": f"{last:.{pair.decimals}f}",
        "best_ask": f"{last + 10**-pair.decimals:.{pair.decimals}f}",
    }


def time(exchange: Exchange, params: Params) -> dict[str, Any]:
    now = exchange.now_ms()
    return {"iso": _iso(now), "epochSeconds": str(now // 1000), "epochMillis": str(now)}


def _trade(pair: Pair, trade: Trade) -> dict[str, Any]:
    return {
        "trade_id": str(trade.id),
        "product_id": f"{pair.base}-{pair.quote}",
        "price": trade.price,
        "size": trade.amount,
        "time": _iso(trade.time_ms),
        "side": "BUY" if trade.is_buyer_maker else "SELL",  # the maker's side
        "bid": "",
        "ask": "",
        "exchange": "coinbase",
    }


def _product(exchange: Exchange, pair: Pair) -> dict[str, Any]:
    day = last_day(exchange, pair)
    return {
        "product_id": f"{pair.base}-{pair.quote}",
        "price": f"{day.last:.{pair.decimals}f}",
        "price_percentage_change_24h": f"{day.change_percent:.14f}",
        "volume_24h": f"{day.volume:.8f}",
        "base_increment": "0.00000001",
        "quote_increment": f"{10**-pair.decimals:.{pair.decimals}f}",
        "status": "online",
        "is_disabled": False,
        "trading_disabled": False,
        "product_type": "SPOT",
        "base_currency_id": pair.base,
        "quote_currency_id": pair.quote,
    }


def _pair(exchange: Exchange, product_id: str) -> Pair:
    pair = exchange.pair(product_id) if "-" in product_id else None
    if pair is None:
        raise _refusal(404, "NOT_FOUND", "valid product_id is required")
    return pair


def _seconds(params: Params, name: str) -> int:
    if not params.get(name, "").isdecimal():
        raise _refusal(400, "INVALID_ARGUMENT", f"{name} argument is invalid")
    return int(params[name])


def _iso(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
