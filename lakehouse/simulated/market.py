"""The market model: seeded, reproducible prices that can be asked for at any time at random.

Each pair has one value a day, a mean-reverting walk of its logarithm, with a volatility and a drift
that wander from day to day. A Brownian bridge joins the values minute by minute, in blocks of calm,
trending, ordinary and wild trading. Prices are whole ticks and volumes whole 1/256ths, whose sums
are exact in a double, so that a longer candle is exactly the aggregate of its minutes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lakehouse.simulated.pairs import Pair

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

MINUTE_MS = 60_000
DAY_MS = 86_400_000
MINUTES = 1440
VOLUME_UNIT = 1 / 256  # eight decimals, as the exchanges write them
FIRST_DAY = 15_706  # 2013-01-01; nothing traded before
LAST_DAY = 29_220  # 2050-01-01
DAILY_SIGMA = 0.025
BLOCK_MINUTES = 180
# Per block: volatility as a multiple of the day's, and drift per minute as a share of volatility.
CALM, TREND_UP, TREND_DOWN, ORDINARY, WILD = range(5)
BLOCK_SIGMA = np.array([0.4, 0.7, 0.7, 1.0, 2.8])
BLOCK_DRIFT = np.array([0.0, 0.1, -0.1, 0.0, 0.0])
BLOCK_ODDS = np.array([0.25, 0.15, 0.15, 0.35, 0.10])
DOLLARS_A_MINUTE = 400_000.0


@dataclass(frozen=True, slots=True)
class Candles:
    """Candles of one pair, as columns: prices in ticks of 10**-decimals, volumes in 1/256ths."""

    timestamp: Ints  # opening time, ms since the epoch
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints
    turnover: Floats  # in the quote currency
    trades: Ints  # 0 where nobody traded

    def __len__(self) -> int:
        return len(self.timestamp)

    def take(self, selection: slice | NDArray[np.bool_]) -> Candles:
        return Candles(*(getattr(self, column)[selection] for column in COLUMNS))

    def longer(self, step_ms: int) -> Candles:
        """The aggregate into candles of `step_ms`; the minutes must begin on its grid."""
        first = np.arange(0, len(self), step_ms // MINUTE_MS)
        last = np.append(first[1:], len(self)) - 1
        return Candles(
            timestamp=self.timestamp[first],
            open=self.open[first],
            high=np.maximum.reduceat(self.high, first),
            low=np.minimum.reduceat(self.low, first),
            close=self.close[last],
            volume=np.add.reduceat(self.volume, first),
            turnover=np.add.reduceat(self.turnover, first),
            trades=np.add.reduceat(self.trades, first),
        )


COLUMNS = tuple(Candles.__dataclass_fields__)


class Market:
    """Everything that ever traded, for one seed.

    `quiet_minutes` is the share of minutes in which nobody trades: flat, with volume 0.
    """

    def __init__(self, seed: int, quiet_minutes: float = 0) -> None:
        self.seed = seed
        self.quiet_minutes = quiet_minutes
        self._anchors = lru_cache(maxsize=256)(self._make_anchors)
        self._minutes = lru_cache(maxsize=256)(self._make_minutes)
        self._aggregate = lru_cache(maxsize=2048)(self._make_aggregate)

    def candles(self, pair: Pair, step_ms: int, start: int, end: int, now: int) -> Candles:
        """Candles that open in [start, end), times in ms; the last one is open still at `now`."""
        first, last = max(start // DAY_MS, FIRST_DAY), min((end - 1) // DAY_MS, now // DAY_MS)
        days = [self._day(pair, day, step_ms) for day in range(first, min(last, LAST_DAY - 1) + 1)]
        if days and last == now // DAY_MS:
            days[-1] = self._so_far(pair, last, now).longer(step_ms)
        if not days:
            return NO_CANDLES
        columns = (np.concatenate([getattr(day, column) for day in days]) for column in COLUMNS)
        found = Candles(*columns)
        return found.take((found.timestamp >= start) & (found.timestamp < end))

    def _day(self, pair: Pair, day: int, step_ms: int) -> Candles:
        return (
            self._minutes(pair, day)
            if step_ms == MINUTE_MS
            else self._aggregate(pair, day, step_ms)
        )

    def _make_aggregate(self, pair: Pair, day: int, step_ms: int) -> Candles:
        return self._minutes(pair, day).longer(step_ms)

    def _so_far(self, pair: Pair, day: int, now: int) -> Candles:
        """The day's minutes up to `now`, the one in progress as far as it has come."""
        passed, within = divmod(now - day * DAY_MS, MINUTE_MS)
        known = self._minutes(pair, day).take(slice(0, passed + 1))
        known = Candles(*(getattr(known, column).copy() for column in COLUMNS))
        share = within / MINUTE_MS
        known.close[-1] = known.open[-1] + int((known.close[-1] - known.open[-1]) * share)
        known.high[-1] = max(known.open[-1], known.close[-1])
        known.low[-1] = min(known.open[-1], known.close[-1])
        known.volume[-1] = int(known.volume[-1] * share)
        known.turnover[-1] *= share
        known.trades[-1] = int(known.trades[-1] * share)
        return known

    def _make_anchors(self, pair: Pair) -> tuple[Floats, Floats]:
        """Logarithm of the price at each day's start, and each day's volatility."""
        days = LAST_DAY - FIRST_DAY + 1
        shocks = np.random.default_rng([self.seed, pair.key]).standard_normal((days, 3))
        away = drift = mood = 0.0
        distance, sigma = np.empty(days), np.empty(days)
        for day, (jolt, turn, temper) in enumerate(shocks.tolist()):
            mood = 0.95 * mood + 0.15 * temper
            drift = 0.92 * drift + 0.0015 * turn
            sigma[day] = DAILY_SIGMA * math.exp(mood)
            away = 0.993 * away + drift + sigma[day] * jolt
            distance[day] = 1.2 * math.tanh(away / 1.2)  # never more than 3.3 times the level
        return math.log(pair.price) + distance, sigma

    def _make_minutes(self, pair: Pair, day: int) -> Candles:
        anchors, sigmas = self._anchors(pair)
        index = day - FIRST_DAY
        random = np.random.default_rng([self.seed, pair.key, day])
        blocks = random.choice(len(BLOCK_ODDS), size=MINUTES // BLOCK_MINUTES, p=BLOCK_ODDS)
        sigma = np.repeat(BLOCK_SIGMA[blocks], BLOCK_MINUTES) * sigmas[index] / math.sqrt(MINUTES)
        sigma[random.random(MINUTES) < self.quiet_minutes] = 0
        drift = np.repeat(BLOCK_DRIFT[blocks], BLOCK_MINUTES) * sigma
        path = _bridge(random, sigma, drift, anchors[index], anchors[index + 1])
        return _minutes(random, pair, day, sigma, path)


def _bridge(
    random: np.random.Generator, sigma: Floats, drift: Floats, start: float, end: float
) -> Floats:
    """A random path of len(sigma) + 1 points from `start` to `end`."""
    walk = np.cumsum(sigma * random.standard_normal(len(sigma)) + drift)
    elapsed = np.cumsum(sigma**2)
    share = elapsed / elapsed[-1] if elapsed[-1] > 0 else elapsed
    return np.concatenate([[start], start + walk + (end - start - walk[-1]) * share])


def _minutes(
    random: np.random.Generator, pair: Pair, day: int, sigma: Floats, path: Floats
) -> Candles:
    ticks_per_unit = 10**pair.decimals
    wicks = np.exp(0.6 * sigma * np.abs(random.standard_normal((2, len(sigma)))))
    points = np.exp(path) * ticks_per_unit
    top, bottom = np.maximum(points[:-1], points[1:]), np.minimum(points[:-1], points[1:])
    ticks = np.maximum(1, np.rint(points)).astype(np.int64)
    high = np.maximum(1, np.rint(top * wicks[0])).astype(np.int64)
    low = np.maximum(1, np.rint(bottom / wicks[1])).astype(np.int64)
    volume, trades = _activity(random, pair, sigma)
    turnover = volume * VOLUME_UNIT * (high + low + ticks[1:]) / 3 / ticks_per_unit
    return Candles(
        timestamp=day * DAY_MS + np.arange(len(sigma), dtype=np.int64) * MINUTE_MS,
        open=ticks[:-1],
        high=high,
        low=low,
        close=ticks[1:],
        volume=volume,
        turnover=turnover,
        trades=trades,
    )


def _activity(random: np.random.Generator, pair: Pair, sigma: Floats) -> tuple[Ints, Ints]:
    """Volume and number of trades of each minute: more where prices move more."""
    heat = sigma / (DAILY_SIGMA / math.sqrt(MINUTES))
    wave = np.exp(0.7 * random.standard_normal(len(sigma))) * np.sqrt(heat)
    units = DOLLARS_A_MINUTE / pair.base_usd / VOLUME_UNIT * wave
    is_traded = sigma > 0
    volume = np.where(is_traded, 16 + np.rint(units), 0).astype(np.int64)
    trades = np.where(is_traded, 4 + np.minimum(np.rint(8 * wave), np.minimum(volume - 8, 900)), 0)
    return volume, trades.astype(np.int64)


_NONE = np.empty(0, np.int64)
NO_CANDLES = Candles(_NONE, _NONE, _NONE, _NONE, _NONE, _NONE, np.empty(0), _NONE)
