"""Prices: a ticker becomes a line of the journal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from lakehouse.producers.lines import rejected_lines, time_line
from lakehouse.producers.rejected import LAST_MS, iso_of_ms, rejected_row
from lakehouse.producers.tickers import Ticker
from lakehouse.sources.candles import number
from lakehouse.streams.rows import PRICE_SCHEMA

NOT_A_TICKER = "message is not a ticker"


@dataclass(frozen=True, slots=True)
class Quote:
    """An answer of an exchange: of which pair, when, from where, and its text."""

    exchange: str
    asset_pair: str
    received_us: int
    source: str
    raw: str


def price_lines(quote: Quote, ticker: Ticker) -> tuple[bytes, list[str]]:
    """The lines, and the reasons why it was rejected, if it was."""
    reasons = reasons_against(ticker)
    if reasons:
        return refused_lines(quote, reasons, ticker), reasons
    message = {
        "symbol": quote.asset_pair,
        "price": number(ticker.price),
        "volume": number(ticker.volume),
        "change_24h": number(ticker.change_24h),
        "timestamp": time_of(ticker.timestamp),
        "exchange": quote.exchange,
    }
    return time_line(quote.received_us) + orjson.dumps(message) + b"\n", []


def refused_lines(quote: Quote, reasons: list[str], ticker: Ticker | None = None) -> bytes:
    fields: dict[str, Any] = {"symbol": quote.asset_pair, "exchange": quote.exchange}
    if ticker:
        fields |= {
            "price": number(ticker.price),
            "volume": number(ticker.volume),
            "change_24h": number(ticker.change_24h),
            "timestamp": iso_of_ms(time_of(ticker.timestamp)),
        }
    row = rejected_row(
        PRICE_SCHEMA,
        fields,
        provider=quote.exchange,
        source=quote.source,
        received_us=quote.received_us,
        raw=quote.raw,
        reasons=reasons,
    )
    return time_line(quote.received_us) + rejected_lines([row])


def reasons_against(ticker: Ticker) -> list[str]:
    """All that is wrong with a ticker. One without a change is good."""
    price, volume = number(ticker.price), number(ticker.volume)
    found = [
        _missing("price", ticker.price, price),
        "price <= 0" if price is not None and price <= 0 else None,
        _missing("volume", ticker.volume, volume),
        "volume < 0" if volume is not None and volume < 0 else None,
        _against_time(ticker.timestamp),
    ]
    return [reason for reason in found if reason]


def _missing(name: str, arrived: Any, figure: float | None) -> str | None:
    if arrived is None:
        return f"{name} is missing"
    return f"{name} is not a number" if figure is None else None


def _against_time(timestamp: Any) -> str | None:
    if timestamp is None:
        return "timestamp is missing"
    return "timestamp is not a time" if time_of(timestamp) is None else None


def time_of(timestamp: Any) -> int | None:
    """Milliseconds since 1970, if that is what it is."""
    figure = number(timestamp)
    return int(figure) if figure is not None and 0 < figure <= LAST_MS else None
