"""Candles for the tests: like a stock's daily quotes, from a seed."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta

import polars as pl

from lakehouse.indicators import SETTLED, technical_indicators

START = datetime(2024, 1, 1, tzinfo=UTC)
SETTLED_TYPE = pl.Struct(
    {name: pl.String if name == "market_regime" else pl.Float64 for name in SETTLED}
)


def quotes(days: int, *, seed: int = 1, price: float = 120.0) -> pl.DataFrame:
    """Daily candles that drift, gap overnight, calm down and burst, with spells of no trade."""
    chance = random.Random(seed)  # noqa: S311 - reproducible, not secret
    close, volatility, rows = price, 0.012, []
    for day in range(days):
        volatility = min(0.08, max(0.002, volatility * math.exp(chance.gauss(0, 0.15))))
        is_frozen = day % 97 in range(90, 94)
        open_ = close if is_frozen else close * math.exp(chance.gauss(0, volatility / 3))
        close = open_ if is_frozen else open_ * math.exp(chance.gauss(0.0003, volatility))
        stretch = 0.0 if is_frozen else abs(chance.gauss(0, volatility / 2))
        high, low = max(open_, close) * (1 + stretch), min(open_, close) * (1 - stretch)
        volume = 0.0 if is_frozen else chance.lognormvariate(10, 1.5)
        rows.append((START + timedelta(days=day), open_, high, low, close, volume))
    return candles(rows)


def candles(rows: list[tuple[datetime, float, float, float, float, float]]) -> pl.DataFrame:
    """Unsettled candles of (timestamp, open, high, low, close, volume)."""
    prices = ("open", "high", "low", "close", "volume")
    schema = {"timestamp": pl.Datetime("us", "UTC")} | dict.fromkeys(prices, pl.Float64)
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return frame.with_columns(settled=pl.lit(None, dtype=SETTLED_TYPE))


def closes(values: list[float], *, spread: float = 1.0, volume: float = 10.0) -> pl.DataFrame:
    """Candles with those closes, each reaching `spread` above and below its close."""
    return candles(
        [
            (START + timedelta(days=day), close, close + spread, close - spread, close, volume)
            for day, close in enumerate(values)
        ]
    )


def settle(frame: pl.DataFrame, indicators: pl.DataFrame) -> pl.DataFrame:
    """The candles, the unsettled ones now settled with what was computed for them."""
    known = frame["settled"].head(len(frame) - len(indicators))
    fresh = indicators.select(pl.struct(SETTLED)).to_series().cast(SETTLED_TYPE)
    return frame.with_columns(settled=pl.concat([known, fresh]))


def in_steps(frame: pl.DataFrame, ends: list[int], lookback: int) -> pl.DataFrame:
    """The indicators of all candles, computed up to each of `ends` in turn, as builds do."""
    settled, answers = frame.head(0), []
    for end in ends:
        arrived = frame.slice(len(settled), end - len(settled))
        given = pl.concat([settled.tail(lookback), arrived])
        answers.append(technical_indicators(given))
        fresh = settle(given, answers[-1]).tail(len(arrived))
        settled = pl.concat([settled, fresh])
    return pl.concat(answers)
