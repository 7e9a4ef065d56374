"""Oanda's dialect: `/v3/instruments/{instrument}/candles`, with a bearer token.

Days begin at 17:00 in New York unless one asks otherwise; the open candle says `complete: false`;
volumes count price changes; a range that ends in the future is refused.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from lakehouse.simulated.corruption import Row
from lakehouse.simulated.exchange import Exchange, Params, Refusal
from lakehouse.simulated.market import DAY_MS, MINUTE_MS, Candles
from lakehouse.simulated.pairs import Pair

GRANULARITIES = {"M1": 1, "M5": 5, "M15": 15, "M30": 30, "H1": 60, "H4": 240, "D": 1440}
DAILY = ("H4", "D")
DEFAULT_COUNT, MAX_COUNT = 500, 5000
NEW_YORK_EVENING_MS = 22 * 60 * MINUTE_MS  # 17:00 there, in winter


def error(kind: str, exchange: Exchange) -> Refusal:
    if kind == "rate_limits":
        wait = {"retry-after": str(exchange.faults.retry_after_seconds)}
        return Refusal(429, {"errorMessage": "Too many requests"}, wait)
    return Refusal(503, {"errorMessage": "Service unavailable"})


def candles(exchange: Exchange, params: Params) -> dict[str, Any]:
    if not params.get("authorization", "").startswith("Bearer "):
        text = "Insufficient authorization to perform request."
        raise Refusal(401, {"errorMessage": text})
    pair = exchange.pair(params["instrument"]) if "_" in params["instrument"] else None
    if pair is None:
        raise _invalid("instrument")
    granularity = params.get("granularity", "")
    if granularity not in GRANULARITIES:
        raise _invalid("granularity")
    step_ms = GRANULARITIES[granularity] * MINUTE_MS
    found = _found(exchange, pair, params, step_ms, _day_start(params, granularity))
    rows = exchange.rows(pair, step_ms, found, decimals=pair.decimals)
    return {
        "instrument": params["instrument"],
        "granularity": granularity,
        "candles": [_candle(exchange, row, step_ms) for row in rows],
    }


def _found(
    exchange: Exchange, pair: Pair, params: Params, step_ms: int, day_start_ms: int
) -> Candles:
    now, count = exchange.now_ms(), int(params.get("count", DEFAULT_COUNT))
    if count > MAX_COUNT:
        raise Refusal(400, {"errorMessage": "Maximum value for 'count' exceeded"})
    start = _time(params, "from", now - (count - 1) * step_ms)
    end = _time(params, "to", now + 1)
    if "to" in params and end > now:
        raise Refusal(
            400, {"errorMessage": "Invalid value specified for 'to'. It is in the future"}
        )
    # The candle that is running at `start` is included; the grid begins with the day.
    start = (start - day_start_ms) // step_ms * step_ms + day_start_ms
    minutes = exchange.candles(pair, MINUTE_MS, start, min(end, now + 1))
    if not len(minutes):
        return minutes
    found = minutes.longer(step_ms)
    return found.take(found.trades > 0).take(slice(0, MAX_COUNT if "to" in params else count))


def _day_start(params: Params, granularity: str) -> int:
    is_utc = params.get("alignmentTimezone") == "UTC" and params.get("dailyAlignment") == "0"
    return 0 if granularity not in DAILY or is_utc else NEW_YORK_EVENING_MS - DAY_MS


def _candle(exchange: Exchange, row: Row, step_ms: int) -> dict[str, Any]:
    time = datetime.fromtimestamp(row.timestamp / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return {
        "complete": row.timestamp + step_ms <= exchange.now_ms(),
        "volume": _volume(row),
        "time": f"{time}.000000000Z",
        "mid": {"o": row.open, "h": row.high, "l": row.low, "c": row.close},
    }


def _volume(row: Row) -> int | str | None:
    """The number of price changes; a broken volume stays broken."""
    if row.volume is None or not row.volume.replace(".", "", 1).lstrip("-").isdecimal():
        return row.volume
    return -row.trades if row.volume.startswith("-") else row.trades


def _time(params: Params, name: str, default: int) -> int:
    if name not in params:
        return default
    try:
        moment = datetime.fromisoformat(params[name])
    except ValueError:
        raise _invalid(name) from None
    return round(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1000)


def _invalid(name: str) -> Refusal:
    return Refusal(400, {"errorMessage": f"Invalid value specified for '{name}'"})
