"""Seeded candles for the benchmarks, as Binance dumps them: a file for each asset and month."""

from __future__ import annotations

import zipfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

SYMBOLS = (
    *("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "ADAUSDT"),
    *("DOGEUSDT", "LTCUSDT", "DOTUSDT", "AVAXUSDT", "LINKUSDT"),
)
MINUTE = 60_000


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
        with zipfile.ZipFile(folder / f"{name}.zip", "w", zipfile.ZIP_DEFLATED, 1) as archive:
            archive.writestr(f"{name}.csv", text)


def _line(time: int, o: float, h: float, low: float, c: float, v: float) -> str:
    end = time + MINUTE - 1
    return f"{time},{o:.8f},{h:.8f},{low:.8f},{c:.8f},{v:.8f},{end},{v * c:.2f},9,0,0,0"
