"""Candles of trades, computed one by one without the library."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

import polars as pl

MINUTE = timedelta(minutes=1)
Key = tuple[str, datetime]


def by_hand(trades: pl.DataFrame) -> dict[Key, dict[str, Any]]:
    """What each minute's candle must be, by symbol and minute."""
    minutes: dict[Key, list[dict[str, Any]]] = defaultdict(list)
    columns = ("symbol", "timestamp", "price", "volume", "offset", "is_outlier")
    for trade in trades.select(columns).iter_rows(named=True):
        start = trade["timestamp"].replace(second=0, microsecond=0)
        minutes[trade["symbol"], start].append(trade)
    return {key: _candle(of_minute) for key, of_minute in minutes.items()}


def _candle(trades: list[dict[str, Any]]) -> dict[str, Any]:
    trades = sorted(trades, key=lambda trade: (trade["timestamp"], trade["offset"] or -1))
    prices = [trade["price"] for trade in trades]
    volume = math.fsum(trade["volume"] for trade in trades)
    turnover = math.fsum(trade["price"] * trade["volume"] for trade in trades)
    return {
        "open": prices[0],
        "high": max(prices),
        "low": min(prices),
        "close": prices[-1],
        "volume": volume,
        "trade_count": len(trades),
        "volatility": statistics.stdev(prices) if len(prices) > 1 else None,
        "vwap": turnover / volume,
        "outlier_count": sum(trade["is_outlier"] for trade in trades),
    }


def candles_by_hand(trades: pl.DataFrame, candles: pl.DataFrame) -> list[str]:
    """How the candles that have trades differ from what they must be; empty if they do not."""
    wanted = by_hand(trades)
    real = candles.filter(~pl.col("is_imputed"))
    found = {(row["symbol"], row["window_start"]): row for row in real.iter_rows(named=True)}
    problems = [f"{key} is missing" for key in wanted.keys() - found.keys()]
    problems += [f"{key} has no trades" for key in found.keys() - wanted.keys()]
    if len(found) != len(real):
        problems.append("a minute has two candles")
    for key in wanted.keys() & found.keys():
        for name, value in wanted[key].items():
            if not _is_equal(found[key][name], value):
                problems.append(f"{key} {name}: {found[key][name]}, not {value}")
    return problems


def _is_equal(found: float | None, wanted: float | None) -> bool:
    if found is None or wanted is None:
        return found is wanted
    # The spread of nearly equal prices has few digits left in any order of adding up.
    return math.isclose(found, wanted, rel_tol=1e-9, abs_tol=1e-9)
