"""Coinbase's other dialect: the Exchange API's tickers, without a key and with its own errors."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from lakehouse.simulated.dayview import last_day
from lakehouse.simulated.exchange import Exchange, Params, Refusal
from lakehouse.simulated.market import DAY_MS, VOLUME_UNIT
from lakehouse.simulated.pairs import Pair
from lakehouse.simulated.trades import latest_trades


def error(kind: str, exchange: Exchange) -> Refusal:
    if kind == "rate_limits":
        wait = {"retry-after": str(exchange.faults.retry_after_seconds)}
        return Refusal(429, {"message": "Public rate limit exceeded"}, wait)
    return Refusal(500, {"message": "Internal server error"})


def ticker(exchange: Exchange, params: Params) -> dict[str, Any]:
    """The price as it stands, and the size and number of the latest trade."""
    pair = _pair(exchange, params["product_id"])
    day, latest = last_day(exchange, pair), latest_trades(exchange, pair, 1)
    return {
        "trade_id": latest[-1].id if latest else 0,
        "price": _text(pair, day.last),
        "size": latest[-1].amount if latest else "0.00000000",
        "time": datetime.fromtimestamp(day.end_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "bid": _text(pair, day.last),
        "ask": _text(pair, day.last + 10**-pair.decimals),
        "volume": f"{day.volume:.8f}",
    }


def stats(exchange: Exchange, params: Params) -> dict[str, Any]:
    """The last 24 hours; the volume of 30 days is that of the last 30 days of the calendar."""
    pair = _pair(exchange, params["product_id"])
    day, now = last_day(exchange, pair), exchange.now_ms()
    month = exchange.candles(pair, DAY_MS, now - 30 * DAY_MS, now + 1)
    return {
        "open": _text(pair, day.open),
        "high": _text(pair, day.high),
        "low": _text(pair, day.low),
        "last": _text(pair, day.last),
        "volume": f"{day.volume:.8f}",
        "volume_30day": f"{int(month.volume.sum()) * VOLUME_UNIT:.8f}",
    }


def _pair(exchange: Exchange, product_id: str) -> Pair:
    pair = exchange.pair(product_id) if "-" in product_id else None
    if pair is None:
        raise Refusal(404, {"message": "NotFound"})
    return pair


def _text(pair: Pair, price: float) -> str:
    return f"{price:.{pair.decimals}f}"
