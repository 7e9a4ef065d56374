"""Alpha Vantage's dialect: `/query?function=…`. Whatever goes wrong is told with status 200.

Rows are keyed by their time, newest first; currencies have no volume.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from lakehouse.simulated.exchange import Exchange, Params, Refusal
from lakehouse.simulated.market import DAY_MS, MINUTE_MS
from lakehouse.simulated.pairs import Pair

INTERVALS = {"1min": 1, "5min": 5, "15min": 15, "30min": 30, "60min": 60}
COMPACT_ROWS = 100
INTRADAY_DAYS = 8
DAILY_DAYS = 1000
HELP = "(https://www.alphavantage.co/documentation/)"
FUNCTIONS = {
    "CRYPTO_INTRADAY": "Time Series Crypto ({})",
    "DIGITAL_CURRENCY_DAILY": "Time Series (Digital Currency Daily)",
    "FX_INTRADAY": "Time Series FX ({})",
    "FX_DAILY": "Time Series FX (Daily)",
}


def error(kind: str, exchange: Exchange) -> Refusal:
    if kind == "rate_limits":
        text = "Our standard API call frequency is 5 calls per minute and 500 calls per day."
        return Refusal(200, {"Note": f"Thank you for using Alpha Vantage! {text}"})
    return Refusal(503, {"message": "Service Unavailable"})


def query(exchange: Exchange, params: Params) -> dict[str, Any]:
    function = params.get("function", "")
    _check_key(params)
    if function not in FUNCTIONS:
        raise _refusal("This API function does not exist.")
    pair, step_ms = _pair(exchange, params), _step(function, params)
    is_full = params.get("outputsize") == "full" or function == "DIGITAL_CURRENCY_DAILY"
    is_money = function.startswith("FX_")
    rows = _rows(exchange, pair, step_ms, is_full=is_full, is_money=is_money)
    name = FUNCTIONS[function].format(params.get("interval"))
    meta = {
        "1. Information": name,
        "2. Digital Currency Code": pair.base,
        "4. Market Code": pair.quote,
        "9. Time Zone": "UTC",
    }
    return {"Meta Data": meta, name: rows}


def _rows(
    exchange: Exchange, pair: Pair, step_ms: int, *, is_full: bool, is_money: bool
) -> dict[str, dict[str, Any]]:
    now = exchange.now_ms()
    days = DAILY_DAYS if step_ms == DAY_MS else INTRADAY_DAYS
    start = now - (days * DAY_MS if is_full else (COMPACT_ROWS - 1) * step_ms)
    found = exchange.candles(pair, step_ms, start // step_ms * step_ms, now + 1)
    shape = "%Y-%m-%d" if step_ms == DAY_MS else "%Y-%m-%d %H:%M:%S"
    rows = {}
    for row in reversed(exchange.rows(pair, step_ms, found, decimals=pair.decimals)):
        time = datetime.fromtimestamp(row.timestamp / 1000, UTC).strftime(shape)
        figures = {
            "1. open": row.open,
            "2. high": row.high,
            "3. low": row.low,
            "4. close": row.close,
        }
        rows[time] = figures if is_money else figures | {"5. volume": row.volume}
    return rows


def _check_key(params: Params) -> None:
    if not params.get("apikey"):
        raise _refusal(
            "the parameter apikey is invalid or missing. Please claim your free API key."
        )
    if params["apikey"].startswith("EXHAUSTED"):
        key = params["apikey"]
        text = "our standard API rate limit is 25 requests per day."
        raise Refusal(200, {"Information": f"We have detected your API key as {key} and {text}"})


def _pair(exchange: Exchange, params: Params) -> Pair:
    base = params.get("symbol") or params.get("from_symbol", "")
    quote = params.get("market") or params.get("to_symbol", "")
    pair = exchange.pair(f"{base}/{quote}")
    if pair is None:
        raise _refusal(f"Invalid API call. Please retry or visit the documentation {HELP}.")
    return pair


def _step(function: str, params: Params) -> int:
    if function.endswith("_DAILY"):
        return DAY_MS
    if params.get("interval") not in INTERVALS:
        raise _refusal(f"Invalid API call. Please retry or visit the documentation {HELP}.")
    return INTERVALS[params["interval"]] * MINUTE_MS


def _refusal(text: str) -> Refusal:
    return Refusal(200, {"Error Message": text})
