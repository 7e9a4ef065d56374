"""Binance's dialect: spot REST, `/api/v3`. Times are in ms, figures are texts with 8 decimals."""

from __future__ import annotations

from typing import Any

from lakehouse.simulated.dayview import last_day
from lakehouse.simulated.exchange import Exchange, Params, Refusal
from lakehouse.simulated.market import DAY_MS, MINUTE_MS
from lakehouse.simulated.pairs import LEVELS_USD, Pair
from lakehouse.simulated.trades import IDS_PER_MINUTE, latest_trades

INTERVALS = {
    "1m": MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "1h": 60 * MINUTE_MS,
    "4h": 240 * MINUTE_MS,
    "1d": DAY_MS,
}
DEFAULT_LIMIT, MAX_LIMIT = 500, 1000
DECIMALS = 8


def error(kind: str, exchange: Exchange) -> Refusal:
    """A server error or a rate limit as Binance words it."""
    if kind == "rate_limits":
        wait = {"retry-after": str(exchange.faults.retry_after_seconds)}
        text = "Too much request weight used; current limit is 6000 request weight per 1 MINUTE."
        return Refusal(429, {"code": -1003, "msg": text}, wait)
    text = "An unknown error occurred while processing the request."
    return Refusal(500, {"code": -1000, "msg": text})


def klines(exchange: Exchange, params: Params) -> list[list[Any]]:
    pair, step_ms = _pair(exchange, params), _interval(params)
    limit = _limit(params)
    start, end = _window(exchange, params, step_ms, limit)
    candles = exchange.candles(pair, step_ms, start, end)
    if exchange.faults.quiet_minutes:
        candles = candles.take(candles.trades > 0)
    rows = exchange.rows(pair, step_ms, candles.take(slice(0, limit)), decimals=DECIMALS)
    return [
        [
            row.timestamp,
            row.open,
            row.high,
            row.low,
            row.close,
            row.volume,
            row.timestamp + step_ms - 1,
            f"{row.turnover:.8f}",
            row.trades,
            "0.00000000",
            "0.00000000",
            "0",
        ]
        for row in rows
    ]


def _window(exchange: Exchange, params: Params, step_ms: int, limit: int) -> tuple[int, int]:
    """The half-open range of opening times; Binance's `endTime` is inclusive."""
    now = exchange.now_ms()
    end = min(_time(params, "endTime", now), now) + 1
    if "startTime" in params:
        start = _time(params, "startTime", 0)
        return start, end
    return -(-(end - limit * step_ms) // step_ms) * step_ms, end


def _pair(exchange: Exchange, params: Params) -> Pair:
    if "symbol" not in params:
        text = "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."
        raise Refusal(400, {"code": -1102, "msg": text})
    symbol = params["symbol"]
    pair = exchange.pair(symbol) if symbol.isalnum() else None
    if pair is None:
        raise Refusal(400, {"code": -1121, "msg": "Invalid symbol."})
    return pair


def _interval(params: Params) -> int:
    try:
        return INTERVALS[params.get("interval", "")]
    except KeyError:
        raise Refusal(400, {"code": -1120, "msg": "Invalid interval."}) from None


def _limit(params: Params) -> int:
    return min(_time(params, "limit", DEFAULT_LIMIT), MAX_LIMIT)


def _time(params: Params, name: str, default: int) -> int:
    text = params.get(name, str(default))
    if not text.isdecimal():
        message = f"Illegal characters found in parameter '{name}'."
        raise Refusal(400, {"code": -1100, "msg": message})
    return int(text)


def ping(exchange: Exchange, params: Params) -> dict[str, Any]:
    return {}


def time(exchange: Exchange, params: Params) -> dict[str, Any]:
    return {"serverTime": exchange.now_ms()}


def exchange_info(exchange: Exchange, params: Params) -> dict[str, Any]:
    pairs = [Pair(base, "USD") for base in LEVELS_USD if not base.startswith("USD")]
    listed = [pair for pair in pairs if exchange.faults.lists(pair.name)]
    return {
        "timezone": "UTC",
        "serverTime": exchange.now_ms(),
        "rateLimits": [],
        "exchangeFilters": [],
        "symbols": [_symbol(pair) for pair in listed],
    }


def _symbol(pair: Pair) -> dict[str, Any]:
    tick = f"{10**-pair.decimals:.8f}"
    return {
        "symbol": f"{pair.base}USDT",
        "status": "TRADING",
        "baseAsset": pair.base,
        "baseAssetPrecision": 8,
        "quoteAsset": "USDT",
        "quotePrecision": 8,
        "isSpotTradingAllowed": True,
        "filters": [{"filterType": "PRICE_FILTER", "minPrice": tick, "tickSize": tick}],
    }


def ticker(exchange: Exchange, params: Params) -> dict[str, Any]:
    pair = _pair(exchange, params)
    day = last_day(exchange, pair)
    tick = 10**-pair.decimals
    return {
        "symbol": params["symbol"],
        "priceChange": f"{day.last - day.open:.8f}",
        "priceChangePercent": f"{day.change_percent:.3f}",
        "weightedAvgPrice": f"{day.average:.8f}",
        "prevClosePrice": f"{day.open:.8f}",
        "lastPrice": f"{day.last:.8f}",
        "lastQty": "1.00000000",
        "bidPrice": f"{day.last:.8f}",
        "bidQty": "1.00000000",
        "askPrice": f"{day.last + tick:.8f}",
        "askQty": "1.00000000",
        "openPrice": f"{day.open:.8f}",
        "highPrice": f"{day.high:.8f}",
        "lowPrice": f"{day.low:.8f}",
        "volume": f"{day.volume:.8f}",
        "quoteVolume": f"{day.turnover:.8f}",
        "openTime": day.start_ms,
        "closeTime": day.end_ms,
        "firstId": day.start_ms // MINUTE_MS * IDS_PER_MINUTE,
        "lastId": day.end_ms // MINUTE_MS * IDS_PER_MINUTE,
        "count": day.trades,
    }


def trades(exchange: Exchange, params: Params) -> list[dict[str, Any]]:
    pair = _pair(exchange, params)
    return [
        {
            "id": trade.id,
            "price": f"{float(trade.price):.8f}",
            "qty": trade.amount,
            "quoteQty": f"{trade.turnover:.8f}",
            "time": trade.time_ms,
            "isBuyerMaker": trade.is_buyer_maker,
            "isBestMatch": True,
        }
        for trade in latest_trades(exchange, pair, _limit(params))
    ]
