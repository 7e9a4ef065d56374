"""Made-up trades in real time: prices wander around what the market shows at the moment.

No two of them are equal in symbol, time, price and volume, save the few that are doubled on purpose
because real feeds do that too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lakehouse.simulated.exchange import Exchange
from lakehouse.simulated.feed_frames import Frame
from lakehouse.simulated.market import MINUTE_MS
from lakehouse.simulated.pairs import Pair

FRAME_TRADES = 500
FRAME_PRICES = 16
DOUBLED = 0.001
STEPS_PER_PRICE = 20_000  # a step is half a basis point
PULL = 0.98  # the share of its distance from the market that a price keeps from frame to frame
LEVEL_MS = 1000
# Multiples of the one modulo the other, a prime, look random and come again only after 100 million.
VOLUME_STEP, VOLUMES = 61_803_399, 99_999_989
DIGITS = np.array([b"%04d" % number for number in range(10_000)])


@dataclass(slots=True)
class _Path:
    """Where a symbol's price stands, in ticks of 10**-decimals."""

    pair: Pair
    level: int = 0
    level_ms: int = 0
    distance: float = 0.0


class MadeUpTrades:
    """A source without end. `symbols` may grow; each frame is of one of them, drawn by chance."""

    is_done = False

    def __init__(self, exchange: Exchange, symbols: Mapping[str, Pair]) -> None:
        self._exchange = exchange
        self._symbols = symbols
        self._random = np.random.default_rng([exchange.faults.seed, 2])
        self._paths: dict[str, _Path] = {}
        self._count = 0

    def next(self, limit: int) -> Frame | None:
        symbol = list(self._symbols)[int(self._random.integers(len(self._symbols)))]
        count, now = min(limit, FRAME_TRADES), self._exchange.now_ms()
        prices = self._prices(symbol, min(count, FRAME_PRICES), now)
        numbers = self._count + np.arange(1, count + 1)
        self._count += count
        records = _rendered(symbol, now, prices, 1 + numbers * VOLUME_STEP % VOLUMES)
        doubled = self._random.random(count) < DOUBLED
        if doubled.any():
            records = np.repeat(records, 1 + doubled)
        return Frame(symbol, records.tolist())

    def _prices(self, symbol: str, count: int, now: int) -> list[bytes]:
        path = self._path(symbol, now)
        step = max(1, path.level // STEPS_PER_PRICE)
        steps = (2 * self._random.random(count) - 1) * step
        ticks = np.maximum(1, path.level + np.rint(path.distance + np.cumsum(steps)))
        path.distance = (path.distance + float(steps.sum())) * PULL
        decimals = path.pair.decimals
        return [b"%.*f" % (decimals, tick / 10**decimals) for tick in ticks.tolist()]

    def _path(self, symbol: str, now: int) -> _Path:
        if symbol not in self._paths:
            self._paths[symbol] = _Path(self._symbols[symbol])
        path = self._paths[symbol]
        if not path.level or now - path.level_ms >= LEVEL_MS:
            minute = now // MINUTE_MS * MINUTE_MS
            candle = self._exchange.candles(path.pair, MINUTE_MS, minute, now + 1)
            path.level, path.level_ms = int(candle.close[-1]), now
        return path


def _rendered(
    symbol: str, time_ms: int, prices: list[bytes], volumes: NDArray[np.int64]
) -> NDArray[np.bytes_]:
    """One JSON object for each volume, which is in 1e-8; the prices follow one another.

    They are put together as columns of bytes: a third of what formatting each one takes.
    """
    conditions = b"null" if ":" in symbol else b'["1"]'
    count, width = len(volumes), max(map(len, prices))
    parts: list[bytes | NDArray[np.bytes_]] = [
        b'{"c":%b,"p":' % conditions,
        # JSON allows the spaces that make prices of different lengths equally long.
        np.array([price.rjust(width) for price in prices])[np.arange(count) * len(prices) // count],
        b',"s":"%b","t":%d,"v":0.' % (symbol.encode(), time_ms),
        DIGITS[volumes // 10_000],
        DIGITS[volumes % 10_000],
        b"}",
    ]
    widths = [len(part) if isinstance(part, bytes) else part.itemsize for part in parts]
    records = np.empty(count, [(f"part{i}", f"S{width}") for i, width in enumerate(widths)])
    for i, part in enumerate(parts):
        records[f"part{i}"] = part
    return records.view(f"S{records.itemsize}")
