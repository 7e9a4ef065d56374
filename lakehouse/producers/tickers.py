"""Tickers in three dialects: what is asked, and where the figures stand in the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lakehouse.sources.candles import number
from lakehouse.sources.problems import Limited, Problem, Unavailable

# The tickers of Coinbase are those of its Exchange API, which is not where its candles are.
TICKER_HOSTS = {"https://api.coinbase.com": "https://api.exchange.coinbase.com"}


@dataclass(frozen=True, slots=True)
class Ticker:
    """The figures as they arrived, None where there was none. `change_24h` is in percent."""

    price: Any
    volume: Any
    change_24h: Any
    timestamp: Any  # milliseconds since 1970


@dataclass(frozen=True, slots=True)
class TickerDialect:
    """`paths` are all asked, with the symbol in them; `read` has their answers in that order.

    `read` gets the time of the answer in ms, too. It raises Problem for an error that came with
    status 200, and LookupError, TypeError or AttributeError for what has not the promised shape.
    """

    paths: tuple[str, ...]
    read: Callable[[Sequence[Any], int], Ticker]


def _binance(answers: Sequence[Any], _answered_ms: int) -> Ticker:
    (day,) = answers
    names = ("lastPrice", "volume", "priceChangePercent", "closeTime")
    return Ticker(*(day.get(name) for name in names))


def _coinbase(answers: Sequence[Any], _answered_ms: int) -> Ticker:
    """The change is against the price of 24 hours ago, which only the statistics have."""
    ticker, stats = answers
    price = ticker.get("price")
    change = _change(number(stats.get("open")), number(price))
    return Ticker(price, ticker.get("volume"), change, _ms(ticker.get("time")))


def _kraken(answers: Sequence[Any], answered_ms: int) -> Ticker:
    """Its change is since midnight, UTC: it does not tell the price of 24 hours ago.

    It has no time of its own. The volume's first figure is since midnight, the second of 24 hours.
    """
    (answer,) = answers
    if answer.get("error"):
        raise _kraken_problem(str(answer["error"][0]))
    (figures,) = answer["result"].values()
    price = figures["c"][0]
    change = _change(number(figures.get("o")), number(price))
    return Ticker(price, figures["v"][1], change, answered_ms)


def _kraken_problem(text: str) -> Problem:
    return Limited(text) if "rate limit" in text.lower() else Unavailable(text)


def _change(before: float | None, now: float | None) -> float | None:
    return (now / before - 1) * 100 if before and now is not None else None


def _ms(text: Any) -> Any:
    """The time of an ISO text; what is none is left as it is."""
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return text
    return int(moment.timestamp() * 1000) if moment.tzinfo else text


TICKER_DIALECTS: Mapping[str, TickerDialect] = {
    "binance": TickerDialect(("/api/v3/ticker/24hr?symbol={}",), _binance),
    "coinbase": TickerDialect(("/products/{}/ticker", "/products/{}/stats"), _coinbase),
    "kraken": TickerDialect(("/0/public/Ticker?pair={}",), _kraken),
}
