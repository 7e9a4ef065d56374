"""What a good trade is, and what is wrong with another.

The way of a good one is short, for there may be 50,000 a second; why one is bad is found out by
looking at it again.
"""

from __future__ import annotations

from typing import Any

import orjson

from lakehouse.producers.rejected import LAST_MS, iso_of_ms

NOT_A_TRADE = "message is not a trade"
TOO_LARGE = "message is too large"
LARGEST_BYTES = 900_000  # librdkafka and brokers take a million, names and headers included


def unfinished_message(trade: Any) -> bytes | None:
    """The trade as Kafka's message up to `processed_at`, None if something is wrong with it.

    Equal trades give equal bytes: 1 and 1.0 are the same price.
    """
    try:
        symbol, time, price, volume = trade["s"], trade["t"], trade["p"], trade["v"]
        conditions = trade.get("c")
        if type(price) is int:
            price = float(price)
        if type(volume) is int:
            volume = float(volume)
        if type(time) is float and time.is_integer():
            time = int(time)
        is_good = (
            (type(price) is float and price > 0)
            and (type(volume) is float and volume > 0)
            and (type(time) is int and 0 < time <= LAST_MS)
            and (type(symbol) is str and symbol != "")
        )
        if not is_good:
            return None
        message = orjson.dumps(
            {
                "symbol": symbol,
                "price": price,
                "timestamp": time,
                "volume": volume,
                "conditions": conditions if type(conditions) is list else None,
            }
        )
    except (KeyError, TypeError):
        return None
    return message[:-1] if len(message) <= LARGEST_BYTES else None


def reasons_against(trade: Any) -> list[str]:
    """All that is wrong with a trade."""
    if type(trade) is not dict:
        return [NOT_A_TRADE]
    found = [
        _against_symbol(trade.get("s")),
        _against_time(trade.get("t")),
        _against_number("price", trade.get("p")),
        _against_number("volume", trade.get("v")),
    ]
    reasons = [reason for reason in found if reason]
    if reasons:
        return reasons
    # Nothing is wrong with its fields: it is too long, or too deep to be written.
    return [TOO_LARGE if _as_json(trade) else NOT_A_TRADE]


def _against_symbol(symbol: Any) -> str | None:
    if symbol is None or symbol == "":
        return "symbol is missing"
    return None if isinstance(symbol, str) else "symbol is not a text"


def _against_time(time: Any) -> str | None:
    if time is None:
        return "timestamp is missing"
    return "timestamp is not a time" if _time(time) is None else None


def _against_number(name: str, figure: Any) -> str | None:
    if figure is None:
        return f"{name} is missing"
    if _number(figure) is None:
        return f"{name} is not a number"
    return f"{name} <= 0" if figure <= 0 else None


def parsed_fields(trade: dict[str, Any]) -> dict[str, Any]:
    """The columns that could be read."""
    symbol, conditions = trade.get("s"), trade.get("c")
    return {
        "symbol": symbol if isinstance(symbol, str) else None,
        "timestamp": iso_of_ms(_time(trade.get("t"))),
        "price": _number(trade.get("p")),
        "volume": _number(trade.get("v")),
        "conditions": _as_json(conditions) if isinstance(conditions, list) else None,
    }


def _as_json(value: Any) -> str | None:
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return None


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else None


def _time(value: Any) -> int | None:
    figure = _number(value)
    is_time = figure is not None and figure.is_integer() and 0 < figure <= LAST_MS
    return int(value) if is_time else None
