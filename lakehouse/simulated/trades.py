"""Single trades, made so that they rebuild their minute's candle exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lakehouse.simulated.exchange import Exchange
from lakehouse.simulated.market import DAY_MS, MINUTE_MS, VOLUME_UNIT
from lakehouse.simulated.pairs import Pair

IDS_PER_MINUTE = 1000  # more than a minute can have trades; ids grow with time, with gaps
LONGEST_SEARCH_MINUTES = 1440


@dataclass(frozen=True, slots=True)
class Trade:
    """One trade; `is_buyer_maker` says that the seller came to a waiting buyer."""

    id: int
    time_ms: int
    price: str
    amount: str
    turnover: float
    is_buyer_maker: bool


def trades_between(exchange: Exchange, pair: Pair, start: int, end: int, limit: int) -> list[Trade]:
    """The first `limit` trades with start <= time < end, oldest first; times in ms."""
    found: list[Trade] = []
    minute = start // MINUTE_MS * MINUTE_MS
    while minute < end and len(found) < limit:
        batch = _minute(exchange, pair, minute)
        found += [trade for trade in batch if start <= trade.time_ms < end]
        minute += MINUTE_MS
    return found[:limit]


def latest_trades(exchange: Exchange, pair: Pair, limit: int) -> list[Trade]:
    """The last `limit` trades up to now, oldest first; none older than a day."""
    now = exchange.now_ms()
    found: list[Trade] = []
    minute = now // MINUTE_MS * MINUTE_MS
    for _ in range(LONGEST_SEARCH_MINUTES):
        if len(found) >= limit:
            break
        batch = _minute(exchange, pair, minute)
        found = [trade for trade in batch if trade.time_ms <= now] + found
        minute -= MINUTE_MS
    return found[-limit:]


def _minute(exchange: Exchange, pair: Pair, minute: int) -> list[Trade]:
    """All trades of the minute, also of one that is not over yet."""
    later = minute + DAY_MS
    candle = exchange.market.candles(pair, MINUTE_MS, minute, minute + MINUTE_MS, later)
    if not len(candle) or not candle.trades[0]:
        return []
    count, units = int(candle.trades[0]), int(candle.volume[0])
    random = np.random.default_rng([exchange.faults.seed, pair.key, minute // MINUTE_MS, 1])
    low, high = int(candle.low[0]), int(candle.high[0])
    prices = random.integers(low, high + 1, size=count)
    # At least four trades a minute: the first opens, the last closes, two mark the extremes.
    prices[0], prices[-1] = candle.open[0], candle.close[0]
    prices[1:3] = random.permutation([low, high])
    amounts = 1 + random.multinomial(units - count, random.dirichlet(np.ones(count)))
    offsets = np.sort(random.integers(0, MINUTE_MS, size=count))
    sides = random.random(count) < 0.5
    first = minute // MINUTE_MS * IDS_PER_MINUTE
    scale = 10**pair.decimals
    return [
        Trade(
            first + i,
            minute + int(offsets[i]),
            f"{int(prices[i]) / scale:.{pair.decimals}f}",
            f"{int(amounts[i]) * VOLUME_UNIT:.8f}",
            int(prices[i]) / scale * int(amounts[i]) * VOLUME_UNIT,
            bool(sides[i]),
        )
        for i in range(count)
    ]
