"""Kraken's dialect: `/0/public`. Errors come with status 200, pairs answer to several names.

Only the last 720 candles are kept, whatever `since` says; `since` is exclusive; a minute without a
trade is a flat candle with volume 0; the last candle is the open one, always.
"""

from __future__ import annotations

from email.utils import formatdate
from typing import Any

from lakehouse.simulated.corruption import Row
from lakehouse.simulated.dayview import last_day, today
from lakehouse.simulated.exchange import Exchange, Params, Refusal
from lakehouse.simulated.market import MINUTE_MS
from lakehouse.simulated.pairs import FIAT, LEVELS_USD, Pair
from lakehouse.simulated.trades import trades_between

KEPT_CANDLES = 720
MAX_TRADES = 1000
INTERVALS = ("1", "5", "15", "30", "60", "240", "1440")
OWN_NAMES = {"BTC": "XBT", "DOGE": "XDG"}
# Assets listed before 2018 carry a prefix in Kraken's keys: X for coins, Z for money.
PREFIXED = {"XBT", "ETH", "LTC", "XRP", "XMR", "ZEC", "ETC", "XLM", "XDG"}


def error(kind: str, exchange: Exchange) -> Refusal:
    text = "EAPI:Rate limit exceeded" if kind == "rate_limits" else "EService:Unavailable"
    status = 200 if kind == "rate_limits" else 503
    return Refusal(status, {"error": [text]})


def ohlc(exchange: Exchange, params: Params) -> dict[str, Any]:
    pair = _pair(exchange, params)
    if params.get("interval", "1") not in INTERVALS:
        raise Refusal(200, {"error": ["EGeneral:Invalid arguments:interval"]})
    step_ms = int(params.get("interval", "1")) * MINUTE_MS
    now = exchange.now_ms()
    since = int(float(params.get("since", "0"))) * 1000
    open_candle = now // step_ms * step_ms
    first = max(open_candle - (KEPT_CANDLES - 1) * step_ms, min(since + 1, open_candle))
    found = exchange.candles(pair, step_ms, first, now + 1)
    rows = exchange.rows(pair, step_ms, found, decimals=pair.decimals)
    last = (open_candle - step_ms) // 1000
    return _answer({_key(pair): [_row(row, pair) for row in rows], "last": last})


def _row(row: Row, pair: Pair) -> list[Any]:
    volume = float(row.volume) if row.volume and _is_number(row.volume) else 0.0
    average = row.turnover / volume if volume > 0 else 0.0
    return [
        row.timestamp // 1000,
        row.open,
        row.high,
        row.low,
        row.close,
        f"{average:.{pair.decimals}f}",
        row.volume,
        row.trades,
    ]


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdecimal()


def trades(exchange: Exchange, params: Params) -> dict[str, Any]:
    """Trades after `since`, a count of nanoseconds; `last` is where to go on."""
    pair = _pair(exchange, params)
    now = exchange.now_ms()
    since = int(params.get("since", "0")) // 1_000_000 or now - 10 * MINUTE_MS
    found = trades_between(exchange, pair, since + 1, now + 1, MAX_TRADES)
    rows = [
        [
            trade.price,
            trade.amount,
            trade.time_ms / 1000,
            "s" if trade.is_buyer_maker else "b",  # the taker's side
            "m",
            "",
            trade.id,
        ]
        for trade in found
    ]
    last = (found[-1].time_ms if found else since) * 1_000_000
    return _answer({_key(pair): rows, "last": str(last)})


def ticker(exchange: Exchange, params: Params) -> dict[str, Any]:
    """First figure of each: since midnight, UTC; second: the last 24 hours."""
    pair = _pair(exchange, params)
    now, day = today(exchange, pair), last_day(exchange, pair)

    def text(price: float) -> str:
        return f"{price:.{pair.decimals}f}"

    ask = text(day.last + 10**-pair.decimals)
    figures = {
        "a": [ask, "1", "1.000"],
        "b": [text(day.last), "1", "1.000"],
        "c": [text(day.last), "1.00000000"],
        "v": [f"{now.volume:.8f}", f"{day.volume:.8f}"],
        "p": [text(now.average), text(day.average)],
        "t": [now.trades, day.trades],
        "l": [text(now.low), text(day.low)],
        "h": [text(now.high), text(day.high)],
        "o": text(now.open),
    }
    return _answer({_key(pair): figures})


def asset_pairs(exchange: Exchange, params: Params) -> dict[str, Any]:
    pairs = [Pair(base, "USD") for base in LEVELS_USD if not base.startswith("USD")]
    listed = [pair for pair in pairs if exchange.faults.lists(pair.name)]
    return _answer({_key(pair): _asset_pair(pair) for pair in listed})


def time(exchange: Exchange, params: Params) -> dict[str, Any]:
    seconds = exchange.now_ms() // 1000
    return _answer({"unixtime": seconds, "rfc1123": formatdate(seconds, usegmt=True)})


def _asset_pair(pair: Pair) -> dict[str, Any]:
    return {
        "altname": _own(pair.base) + _own(pair.quote),
        "wsname": f"{_own(pair.base)}/{_own(pair.quote)}",
        "base": _prefixed(pair.base),
        "quote": _prefixed(pair.quote),
        "pair_decimals": pair.decimals,
        "lot_decimals": 8,
        "status": "online",
    }


def _answer(result: dict[str, Any]) -> dict[str, Any]:
    return {"error": [], "result": result}


def _pair(exchange: Exchange, params: Params) -> Pair:
    pair = exchange.pair(params.get("pair", ""))
    if pair is None:
        raise Refusal(200, {"error": ["EQuery:Unknown asset pair"]})
    return pair


def _own(name: str) -> str:
    return OWN_NAMES.get(name, name)


def _key(pair: Pair) -> str:
    """`XXBTZUSD` for the old ones, `SOLUSD` for the others."""
    if _own(pair.base) in PREFIXED and (pair.quote in FIAT or _own(pair.quote) in PREFIXED):
        return _prefixed(pair.base) + _prefixed(pair.quote)
    return _own(pair.base) + _own(pair.quote)


def _prefixed(name: str) -> str:
    if name in FIAT:
        return f"Z{name}"
    return f"X{_own(name)}" if _own(name) in PREFIXED else _own(name)
