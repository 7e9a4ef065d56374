"""A seeded market whose 4h and 1d candles are exact aggregates of its 1h candles."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta

import polars as pl

START = datetime(2026, 1, 5, tzinfo=UTC)
DAYS = 45
END = START + timedelta(days=DAYS)
ASSETS = ("BTCUSD", "ETHUSD")
MINUTES_FROM = END - timedelta(hours=6)
PRICES = ("open", "high", "low", "close", "volume")


def market(assets: tuple[str, ...] = ASSETS) -> pl.DataFrame:
    """All candles of the assets: 1h, 4h, 1d of 45 days across a month's end, 1m of 6 hours."""
    hours = pl.concat([_walk(asset, "1h", START, DAYS * 24) for asset in assets])
    minutes = pl.concat([_walk(asset, "1m", MINUTES_FROM, 360) for asset in assets])
    return pl.concat([hours, _aggregate(hours, "4h"), _aggregate(hours, "1d"), minutes])


def _walk(asset: str, timeframe: str, start: datetime, count: int) -> pl.DataFrame:
    chance = random.Random(f"{asset} {timeframe}")  # noqa: S311 - reproducible, not secret
    length = timedelta(hours=1) if timeframe == "1h" else timedelta(minutes=1)
    close, rows = 100.0, []
    for i in range(count):
        # Calm, bursts and drifts, so that every regime and every trend occurs.
        volatility = 0.02 if i % 300 > 270 else 0.004
        drift = 0.004 if i // 200 % 2 else 0.0
        open_, close = close, close * math.exp(chance.gauss(drift, volatility))
        high = max(open_, close) * (1 + abs(chance.gauss(0, volatility)))
        low = min(open_, close) * (1 - abs(chance.gauss(0, volatility)))
        volume = chance.lognormvariate(3, 1)
        rows.append((asset, timeframe, start + i * length, open_, high, low, close, volume))
        close *= math.exp(-chance.random() * 0.02 * math.log(close / 100))
    schema = {
        "asset_pair": pl.String,
        "timeframe": pl.String,
        "timestamp": pl.Datetime("us", "UTC"),
    }
    return pl.DataFrame(rows, schema | dict.fromkeys(PRICES, pl.Float64), orient="row")


def _aggregate(hours: pl.DataFrame, timeframe: str) -> pl.DataFrame:
    grouped = hours.group_by_dynamic("timestamp", every=timeframe, group_by="asset_pair")
    candles = grouped.agg(
        pl.col("open").first(),
        pl.col("high").max(),
        pl.col("low").min(),
        pl.col("close").last(),
        pl.col("volume").sum(),
    )
    return candles.with_columns(timeframe=pl.lit(timeframe)).select(hours.columns)


def closed_by(candles: pl.DataFrame, moment: datetime) -> pl.DataFrame:
    """The candles that had closed at that moment."""
    return candles.filter(closed_at() <= moment)


def closed_at() -> pl.Expr:
    lengths = {"1m": "1m", "5m": "5m", "15m": "15m", "1h": "1h", "4h": "4h", "1d": "1d"}
    length = pl.col("timeframe").replace_strict(lengths)
    return pl.col("timestamp").dt.offset_by(length)
