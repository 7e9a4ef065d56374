"""Technical indicators of one asset and timeframe, over its candles in time order.

Definitions (a value exists only where its window is full, and is null before):

- sma_20: mean of the last 20 closes. ema_n: seeded with the mean of the first n closes, then
  `2 / (n + 1)` of the close and the rest of the previous value. macd: ema_12 - ema_26;
  macd_signal: the same kind of average of the macd, over 9; macd_histogram: macd - macd_signal.
- rsi_14: 100 * gain / (gain + loss), Wilder averages of the close's steps up and down: 100 without
  a loss, 0 without a gain, 50 without either.
- bollinger_*: sma_20, and twice the population standard deviation of those closes around it.
- atr_14: Wilder average of the true range, which the first candle does not have. natr_14:
  atr_14 / close.
- plus_di_14, minus_di_14: Wilder averages of the directional movement, in percent of atr_14 (0
  when that is 0). adx_14: Wilder average of 100 * |plus - minus| / (plus + minus) (0 when both
  are 0).
- volume_ratio: volume / mean of the last 20 volumes (null when that mean is 0). volume_change:
  volume / previous volume - 1 (null when that is 0). log_return: ln(close / previous close).
- market_regime: `volatile` when natr_14 exceeds 1.5 times its own median over the last 100
  candles, this one included; else `trend` when adx_14 is at least 25, Wilder's line; else `range`.
  The median, because a burst cannot lift it before it fills half of the window: then it is the new
  normal. Volatility goes first, because ADX also rises with the first leg of a burst.
  is_regime_start: the regime differs from that of the candle before, or is the first.
- macd_cross: `up` where macd_histogram is above 0 and was not at the candle before, `down` where it
  is below 0 and was not; else null.

A Wilder average is the mean of the first 14 values, then `(13 * previous + value) / 14`.

Candles that are missing are not invented: a window is so many candles, however long that took.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

LOOKBACK = 120
"""Settled candles that suffice to continue exactly: the longest window, 100, and slack."""

STATE = (
    "ema_12",
    "ema_26",
    "macd_signal",
    "avg_gain_14",
    "avg_loss_14",
    "atr_14",
    "avg_plus_dm_14",
    "avg_minus_dm_14",
    "adx_14",
)
"""What the recursions need of the candle before; macd_signal is the last of them to exist."""

SETTLED = (*STATE, "natr_14", "market_regime")
"""What is asked of a settled candle: its state, and what later ones look back on."""

INDICATORS = (
    "sma_20",
    "ema_12",
    "ema_26",
    "rsi_14",
    "macd",
    "macd_signal",
    "macd_histogram",
    "macd_cross",
    "bollinger_upper",
    "bollinger_middle",
    "bollinger_lower",
    "atr_14",
    "natr_14",
    "adx_14",
    "plus_di_14",
    "minus_di_14",
    "volume_ratio",
    "volume_change",
    "log_return",
    "avg_gain_14",
    "avg_loss_14",
    "avg_plus_dm_14",
    "avg_minus_dm_14",
    "market_regime",
    "is_regime_start",
)

WILDER = 14
REGIME_WINDOW = 100
VOLATILE_ABOVE = 1.5
TREND_FROM = 25.0
SIDES = ("plus", "minus")

Numbers = npt.NDArray[np.float64]
Arrays = dict[str, Numbers]
State = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Chain:
    """An average to be: the mean of the first n values, then `weight` of each value and the rest of
    the average before. Values may be missing at the beginning."""

    name: str
    values: Numbers
    n: int
    weight: float

    def anchor(self, state: State | None) -> tuple[int, float]:
        """Where it begins, and with what: the first candle's is in `state`, or there is a seed."""
        if state is not None:
            return 0, state[self.name]
        missing = _missing(self.values)
        return missing + self.n - 1, _mean(self.values[missing : missing + self.n])

    def anchored(self, at: int, anchor: float) -> Numbers:
        """The values from there on; an average of the anchor alone is the anchor."""
        chain = self.values.copy()
        chain[: at + 1] = anchor
        return chain


def _missing(values: Numbers) -> int:
    """How many are, all of them at the beginning."""
    return int(np.isnan(values).sum())


def _mean(values: Numbers) -> float:
    """The mean, exact for constants."""
    return float(values[0] + np.mean(values - values[0])) if len(values) else np.nan


def technical_indicators(candles: pl.DataFrame) -> pl.DataFrame:
    """The indicators of every candle that has none yet: columns INDICATORS, one row a candle.

    `candles`: high, low, close, volume and `settled`, in time order. `settled` is a struct of
    SETTLED for a candle whose indicators are known, else null. Known ones come first: at least
    LOOKBACK of them, or all there are. The others continue from the last of them, exactly as if
    all were computed at once.
    """
    # In arrays, where NaN stands for no value: a short series is many small steps, of which each
    # takes a microsecond there and a hundred in a frame.
    settled = candles["settled"]
    known = len(candles) - settled.null_count()
    last: State = settled[known - 1] if known else {"macd_signal": None}
    is_continued = last["macd_signal"] is not None
    first = known - 1 if is_continued else 0
    given = {name: candles[name].to_numpy() for name in ("high", "low", "close", "volume")}
    with np.errstate(divide="ignore", invalid="ignore"):
        found = given | _steps(**given) | _windows(given["close"], given["volume"])
        found = {name: values[first:] for name, values in found.items()}
        found |= _averages(found, last if is_continued else None)
        found |= _ratios(found)
    natr = settled.struct.field("natr_14").head(first).to_numpy()
    exceeds = _exceeds_median(np.concatenate((natr, found["natr_14"])), REGIME_WINDOW)[first:]
    told = {name: found[name] for name in INDICATORS if name in found}
    frame = pl.DataFrame(told | {"exceeds_median": exceeds}).fill_nan(None)
    frame = frame.with_columns(market_regime=REGIME).with_columns(**CHANGES)
    return frame.slice(known - first).select(INDICATORS)


def _steps(high: Numbers, low: Numbers, close: Numbers, volume: Numbers) -> Arrays:
    """What happened from one candle to the next; nothing for the first."""
    before, volume_before = _before(close), _before(volume)
    step, up, down = close - before, high - _before(high), _before(low) - low
    ranges = (high - low, np.abs(high - before), np.abs(low - before))
    return {
        "gain": np.maximum(step, 0.0),
        "loss": np.maximum(-step, 0.0),
        "true_range": np.maximum.reduce(ranges),
        "plus_dm": _where((up > down) & (up > 0), up),
        "minus_dm": _where((down > up) & (down > 0), down),
        "log_return": np.log(close / before),
        "volume_change": np.where(volume_before == 0, np.nan, volume / volume_before - 1),
    }


def _before(values: Numbers) -> Numbers:
    """At each candle the value of the one before."""
    return np.concatenate(([np.nan], values))[: len(values)]


def _where(condition: npt.NDArray[np.bool_], value: Numbers) -> Numbers:
    """`value` where the condition holds, 0 where not, nothing where it is unknown."""
    return np.where(condition | np.isnan(value), value, 0.0)


def _windows(close: Numbers, volume: Numbers) -> Arrays:
    closes, volumes = _backwards(close, 20), _backwards(volume, 20)
    distance = _mean_distance(closes)
    middle, deviation = closes[0] + distance, _deviation(closes, distance)
    mean_volume = volumes[0] + _mean_distance(volumes)
    found = {
        "sma_20": middle,
        "bollinger_middle": middle,
        "bollinger_upper": middle + 2 * deviation,
        "bollinger_lower": middle - 2 * deviation,
        "volume_ratio": np.where(mean_volume == 0, np.nan, volumes[0] / mean_volume),
    }
    return {name: _padded(values, len(close)) for name, values in found.items()}


def _mean_distance(windows: list[Numbers]) -> Numbers:
    """How far the mean of each window lies from its last value.

    Not rolling_mean: its running sum remembers what left the window, so an increment would differ
    from a computation over everything. Distances from the last value keep constants exact.
    """
    last, *before = windows
    return sum((value - last for value in before), np.zeros_like(last)) * (1 / len(windows))


def _deviation(windows: list[Numbers], distance: Numbers) -> Numbers:
    """The population deviation of each window whose mean lies so far from its last value."""
    last, *before = windows
    squares = sum(((value - last - distance) ** 2 for value in before), distance**2)
    return np.sqrt(squares * (1 / len(windows)))


def _backwards(values: Numbers, n: int) -> list[Numbers]:
    """The values that have n - 1 before them, the ones just before those, and so on: n views."""
    count = max(0, len(values) - n + 1)
    return [values[first : first + count] for first in reversed(range(n))]


def _padded(values: Numbers, length: int) -> Numbers:
    """As many values, with nothing before them."""
    return np.concatenate((np.full(length - len(values), np.nan), values))


def _averages(of: Arrays, state: State | None) -> Arrays:
    """The averages that continue from their own last value: from `state`, that of the first candle
    of all, or from their seeds."""
    wilder = {"avg_gain_14": "gain", "avg_loss_14": "loss", "atr_14": "true_range"}
    wilder |= {f"avg_{side}_dm_14": f"{side}_dm" for side in SIDES}
    chains = [Chain(f"ema_{n}", of["close"], n, 2 / (n + 1)) for n in (12, 26)]
    chains += [Chain(name, of[values], WILDER, 1 / WILDER) for name, values in wilder.items()]
    found = _smoothed(chains, state)
    found["macd"] = found["ema_12"] - found["ema_26"]
    plus, minus = (_percent(found[f"avg_{side}_dm_14"], found["atr_14"]) for side in SIDES)
    index = _percent(np.abs(plus - minus), plus + minus)
    signal = Chain("macd_signal", found["macd"], 9, 2 / 10)
    found |= {"plus_di_14": plus, "minus_di_14": minus}
    return found | _smoothed([signal, Chain("adx_14", index, WILDER, 1 / WILDER)], state)


def _smoothed(chains: Sequence[Chain], state: State | None) -> Arrays:
    """By name, `weight` of each value and the rest of the average before."""
    anchors = {chain.name: chain.anchor(state) for chain in chains}
    frame = pl.DataFrame({c.name: c.anchored(*anchors[c.name]) for c in chains})
    average = (pl.col(c.name).ewm_mean(alpha=c.weight, adjust=False) for c in chains)
    found = {each.name: each.to_numpy(writable=True) for each in frame.select(average)}
    for name, (at, _) in anchors.items():
        found[name][:at] = np.nan
    return found


def _percent(part: Numbers, whole: Numbers) -> Numbers:
    return np.where(whole == 0, 0.0, 100 * part / whole)


def _ratios(of: Arrays) -> Arrays:
    gain, loss = of["avg_gain_14"], of["avg_loss_14"]
    return {
        "rsi_14": np.where(gain + loss == 0, 50.0, 100 * gain / (gain + loss)),
        "natr_14": of["atr_14"] / of["close"],
        "macd_histogram": of["macd"] - of["macd_signal"],
    }


def _exceeds_median(values: Numbers, n: int) -> Numbers:
    """1 where a value exceeds VOLATILE_ABOVE times the median of it and the n - 1 before it, n
    even, else 0.

    Counting what a value exceeds takes a tenth of the time that a median does, and tells, unless
    it is exactly half of them. Nothing until n values are known.
    """
    known = values[_missing(values) :]
    last = known[n - 1 :]
    exceeded = np.zeros(len(last), dtype=np.uint8)
    for value in _backwards(VOLATILE_ABOVE * known, n):
        exceeded += last > value
    exceeds = exceeded > n // 2
    for i in np.flatnonzero(exceeded == n // 2):
        exceeds[i] = last[i] > VOLATILE_ABOVE * np.median(known[i : i + n])
    return _padded(exceeds.astype(np.float64), len(values))


def _regime() -> pl.Expr:
    exceeds, trend = pl.col("exceeds_median"), pl.col("adx_14")
    regime = (
        pl.when(exceeds == 1)
        .then(pl.lit("volatile"))
        .when(trend >= TREND_FROM)
        .then(pl.lit("trend"))
        .otherwise(pl.lit("range"))
    )
    return pl.when(exceeds.is_not_null() & trend.is_not_null()).then(regime)


def _changes() -> dict[str, pl.Expr]:
    """What differs from the candle before."""
    regime, histogram = pl.col("market_regime"), pl.col("macd_histogram")
    before = histogram.shift(1)
    is_up, is_down = (histogram > 0) & (before <= 0), (histogram < 0) & (before >= 0)
    return {
        "is_regime_start": regime.is_not_null() & regime.ne_missing(regime.shift(1)),
        "macd_cross": pl.when(is_up).then(pl.lit("up")).when(is_down).then(pl.lit("down")),
    }


# Written down once: an expression takes longer to make than to compute over a short series.
REGIME, CHANGES = _regime(), _changes()
