"""Seeded candles for the benchmarks: as Binance dumps them, a zipped file for each asset and month,
and as Parquet, a file for each asset and timeframe."""

from __future__ import annotations

import zipfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from lakehouse.timeframes import TIMEFRAMES

SYMBOLS = (
    *("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "ADAUSDT"),
    *("DOGEUSDT", "LTCUSDT", "DOTUSDT", "AVAXUSDT", "LINKUSDT"),
    # Beyond the ten that the settings know; see benchmarks.increment.
    *(f"COIN{number}USDT" for number in range(10, 100)),
)
MINUTE = 60_000
MINUTES_A_DAY = 1440
CANDLES_A_DAY = 1855  # of an asset, in all six timeframes
FIRST_DAY = date(2025, 1, 1)
COLUMNS = ("timestamp", "open", "high", "low", "close", "volume")


def write_dumps(folder: Path, assets: int, minutes: int) -> int:
    """`assets` x `minutes` one-minute candles from 2025-01-01 on; how many there are."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, symbol in enumerate(SYMBOLS[:assets]):
        _write_asset(folder, symbol, minutes, np.random.default_rng(number))
    return assets * minutes


def _write_asset(folder: Path, symbol: str, minutes: int, rng: np.random.Generator) -> None:
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.0005, minutes)))
    opened = np.concatenate(([100.0], close[:-1]))
    high = np.maximum(opened, close) * (1 + rng.random(minutes) * 0.001)
    low = np.minimum(opened, close) * (1 - rng.random(minutes) * 0.001)
    volume = rng.random(minutes) * 100
    first = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp() * 1000)
    times = first + MINUTE * np.arange(minutes)
    months = (times.astype("datetime64[ms]")).astype("datetime64[M]")
    for month in np.unique(months):
        chosen = np.flatnonzero(months == month)
        rows = zip(*(a[chosen] for a in (times, opened, high, low, close, volume)), strict=True)
        text = "\n".join(_line(*row) for row in rows) + "\n"
        name = f"{symbol}-1m-{month}"
        with zipfile.ZipFile(folder / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{name}.csv", text)


def _line(time: int, o: float, h: float, low: float, c: float, v: float) -> str:
    end = time + MINUTE - 1
    return f"{time},{o:.8f},{h:.8f},{low:.8f},{c:.8f},{v:.8f},{end},{v * c:.2f},9,0,0,0"


def write_parquet(folder: Path, assets: int, days: int, first: date = FIRST_DAY) -> int:
    """Candles of `assets` in all six timeframes, a Parquet file for each; how many there are.

    Columns timestamp (UTC, microseconds), open, high, low, close, volume. Longer candles are
    those of the minutes, taken together. The same asset and day is the same in every call.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = 0
    for symbol in SYMBOLS[:assets]:
        minutes = _minutes(symbol, days, first)
        for timeframe in TIMEFRAMES:
            candles = _together(minutes, timeframe)
            candles.write_parquet(folder / f"{symbol}-{timeframe}-{first}.parquet")
            rows += candles.height
    return rows


def _minutes(symbol: str, days: int, first: date) -> pl.DataFrame:
    """A day's noise depends on the symbol and the day alone, and leads back to where it began."""
    base = 100.0 * (1 + SYMBOLS.index(symbol) % 10)
    parts = []
    for day in (first + timedelta(days=number) for number in range(days)):
        rng = np.random.default_rng([SYMBOLS.index(symbol), day.toordinal()])
        walk = np.cumsum(rng.normal(0, 0.0005, MINUTES_A_DAY))
        bridge = walk - walk[-1] * np.linspace(0, 1, MINUTES_A_DAY)
        close = base * np.exp(bridge)
        opened = np.concatenate(([base], close[:-1]))
        high = np.maximum(opened, close) * (1 + rng.random(MINUTES_A_DAY) * 0.001)
        low = np.minimum(opened, close) * (1 - rng.random(MINUTES_A_DAY) * 0.001)
        times = np.datetime64(day, "us") + np.arange(MINUTES_A_DAY) * np.timedelta64(60, "s")
        columns = (times, opened, high, low, close, rng.random(MINUTES_A_DAY) * 100)
        parts.append(pl.DataFrame(dict(zip(COLUMNS, columns, strict=True))))
    return pl.concat(parts).with_columns(pl.col("timestamp").dt.replace_time_zone("UTC"))


def _together(minutes: pl.DataFrame, timeframe: str) -> pl.DataFrame:
    if timeframe == "1m":
        return minutes
    return minutes.group_by_dynamic("timestamp", every=timeframe).agg(
        pl.col("open").first(),
        pl.col("high").max(),
        pl.col("low").min(),
        pl.col("close").last(),
        pl.col("volume").sum(),
    )
