"""The exchange behind all dialects: its market, its clock, its faults, and who asked what."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from lakehouse.simulated.corruption import Row, corrupt, corruption_of
from lakehouse.simulated.faults import FaultPlan, Faults
from lakehouse.simulated.market import VOLUME_UNIT, Candles, Market
from lakehouse.simulated.pairs import Pair, pair_of

Params = Mapping[str, str]


class Refusal(Exception):
    """An answer that is not 200, in the dialect's own shape."""

    def __init__(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.body = body
        self.headers = dict(headers or {})


class Exchange:
    """One market for all dialects. `faults` may be replaced at any time."""

    def __init__(self, faults: Faults) -> None:
        self.requests: Counter[str] = Counter()
        self.faults = faults

    @property
    def faults(self) -> Faults:
        return self._faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._faults = faults
        self.plan = FaultPlan(faults)
        market = getattr(self, "market", None)
        if not market or (market.seed, market.quiet_minutes) != (faults.seed, faults.quiet_minutes):
            self.market = Market(faults.seed, faults.quiet_minutes)

    def now_ms(self) -> int:
        return self.faults.now_ms if self.faults.now_ms is not None else time.time_ns() // 1_000_000

    def pair(self, symbol: str) -> Pair | None:
        """The pair a symbol means, if it is listed here."""
        pair = pair_of(symbol)
        return pair if pair and self.faults.lists(pair.name) else None

    def candles(self, pair: Pair, step_ms: int, start: int, end: int) -> Candles:
        """Candles that open in [start, end), the open one included."""
        return self.market.candles(pair, step_ms, start, end, self.now_ms())

    def rows(self, pair: Pair, step_ms: int, candles: Candles, *, decimals: int) -> list[Row]:
        """The candles as they are written, broken where the faults say so."""
        columns = _texts(pair, candles, decimals)
        rows = [Row(*values) for values in zip(*columns, strict=True)]
        if self.faults.corrupted_candles == 0:
            return rows
        return [served for row in rows for served in self._served(pair, step_ms, row, decimals)]

    def _served(self, pair: Pair, step_ms: int, row: Row, decimals: int) -> list[Row]:
        is_open = row.timestamp + step_ms > self.now_ms()
        broken = None if is_open else corruption_of(self.faults, pair, step_ms, row.timestamp)
        return corrupt(row, broken, decimals=decimals) if broken else [row]


def _texts(pair: Pair, candles: Candles, decimals: int) -> list[list[Any]]:
    scale = 10**pair.decimals
    prices = (candles.open, candles.high, candles.low, candles.close)
    return [
        candles.timestamp.tolist(),
        *([f"{tick / scale:.{decimals}f}" for tick in column.tolist()] for column in prices),
        [f"{units * VOLUME_UNIT:.8f}" for units in candles.volume.tolist()],
        candles.turnover.tolist(),
        candles.trades.tolist(),
    ]
