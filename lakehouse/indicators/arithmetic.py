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

from collections.abc import Mapping
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

State = Mapping[str, Any]
Numbers = npt.NDArray[np.float64]


def technical_indicators(candles: pl.DataFrame) -> pl.DataFrame:
    """The indicators of every candle that has none yet: columns INDICATORS, one row a candle.

    `candles`: high, low, close, volume and `settled`, in time order. `settled` is a struct of
    SETTLED for a candle whose indicators are known, else null. Known ones come first: at least
    LOOKBACK of them, or all there are. The others continue from the last of them, exactly as if
    all were computed at once.
    """
    known = len(candles) - candles["settled"].null_count()
    last: State = candles["settled"][known - 1] if known else dict.fromkeys(SETTLED)
    state = last if last["macd_signal"] is not None else None
    skipped = known if state else 0
    frame = candles.select("close", "volume").with_columns(**_steps(candles))
    frame = frame.with_columns(**_windows(frame))
    frame = frame.with_columns(**_recursions(frame, state, skipped))
    natr = _natr(frame, candles["settled"].struct.field("natr_14"), skipped)
    is_volatile = _exceeds_median(natr, REGIME_WINDOW, VOLATILE_ABOVE)
    frame = frame.with_columns(natr_14=natr, is_volatile=is_volatile).slice(known)
    return frame.with_columns(**_derived()).with_columns(**_changes(last)).select(INDICATORS)


def _steps(candles: pl.DataFrame) -> dict[str, pl.Series]:
    """What happened from one candle to the next; null for the first."""
    high, low, close = candles["high"], candles["low"], candles["close"]
    before = close.shift(1)
    step, up, down = close.diff(), high.diff(), -low.diff()
    ranges = {"hl": high - low, "hc": (high - before).abs(), "lc": (low - before).abs()}
    true_range = pl.DataFrame(ranges).max_horizontal()
    return {
        "gain": step.clip(lower_bound=0.0),
        "loss": (-step).clip(lower_bound=0.0),
        "true_range": true_range.set(before.is_null(), None),
        "plus_dm": _where((up > down) & (up > 0), up),
        "minus_dm": _where((down > up) & (down > 0), down),
        "log_return": (close / before).log(),
        "volume_before": candles["volume"].shift(1),
    }


def _where(condition: pl.Series, value: pl.Series) -> pl.Series:
    """`value` where the condition holds, 0 where not, null where it is unknown."""
    return value.set(~condition, 0.0)


def _windows(frame: pl.DataFrame) -> dict[str, pl.Series]:
    closes, volumes = (_backwards(frame[name].to_numpy(), 20) for name in ("close", "volume"))
    distance, missing = _mean_distance(closes), len(frame) - len(closes[0])
    middle = _padded(pl.Series(closes[0] + distance), missing)
    deviation = _padded(pl.Series(_deviation(closes, distance)), missing)
    mean_volume = _padded(pl.Series(volumes[0] + _mean_distance(volumes)), missing)
    return {
        "sma_20": middle,
        "bollinger_middle": middle,
        "bollinger_upper": middle + 2 * deviation,
        "bollinger_lower": middle - 2 * deviation,
        "volume_ratio": frame["volume"] / mean_volume.set(mean_volume == 0, None),
    }


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


def _recursions(frame: pl.DataFrame, state: State | None, skipped: int) -> dict[str, pl.Series]:
    """The averages that continue from their own last value; null for the skipped candles."""

    def smooth(name: str, values: pl.Series, n: int, weight: float) -> pl.Series:
        last = None if state is None else state[name]
        return _smooth(values.slice(skipped), n, weight, last).rename(name)

    def wilder(name: str, of: pl.Series) -> pl.Series:
        return smooth(name, of, WILDER, 1 / WILDER)

    fast, slow = (smooth(f"ema_{n}", frame["close"], n, 2 / (n + 1)) for n in (12, 26))
    macd = _padded(fast - slow, skipped)
    atr = wilder("atr_14", frame["true_range"])
    plus, minus = (wilder(f"avg_{side}_dm_14", frame[f"{side}_dm"]) for side in ("plus", "minus"))
    plus_di, minus_di = _percent(plus, atr), _percent(minus, atr)
    index = _padded(_percent((plus_di - minus_di).abs(), plus_di + minus_di), skipped)
    averages = {
        "ema_12": fast,
        "ema_26": slow,
        "macd_signal": smooth("macd_signal", macd, 9, 2 / 10),
        "avg_gain_14": wilder("avg_gain_14", frame["gain"]),
        "avg_loss_14": wilder("avg_loss_14", frame["loss"]),
        "atr_14": atr,
        "avg_plus_dm_14": plus,
        "avg_minus_dm_14": minus,
        "plus_di_14": plus_di,
        "minus_di_14": minus_di,
        "adx_14": wilder("adx_14", index),
    }
    return {name: _padded(values, skipped) for name, values in averages.items()} | {"macd": macd}


def _smooth(values: pl.Series, n: int, weight: float, last: float | None) -> pl.Series:
    """`weight` of the value and the rest of the average before, which is `last` or the seed."""
    if last is not None:
        chain = pl.concat([pl.Series([last]), values])
        return chain.ewm_mean(alpha=weight, adjust=False).slice(1)
    first = values.null_count() + n
    if len(values) < first:
        return pl.repeat(None, len(values), dtype=pl.Float64, eager=True)
    seed = _mean(values.slice(first - n, n))
    chain = pl.concat([pl.Series([seed]), values.slice(first)])
    return _padded(chain.ewm_mean(alpha=weight, adjust=False), first - 1)


def _mean(values: pl.Series) -> float:
    """The mean, exact for constants."""
    first = float(values[0])
    return first + float(sum(values - first)) / len(values)


def _padded(values: pl.Series, nulls: int) -> pl.Series:
    return pl.concat([pl.repeat(None, nulls, dtype=values.dtype, eager=True), values])


def _percent(part: pl.Series, whole: pl.Series) -> pl.Series:
    return (100 * part / whole).set(whole == 0, 0.0)


def _natr(frame: pl.DataFrame, known: pl.Series, skipped: int) -> pl.Series:
    fresh = (frame["atr_14"] / frame["close"]).slice(skipped)
    return pl.concat([known.slice(0, skipped), fresh])


def _exceeds_median(values: pl.Series, n: int, factor: float) -> pl.Series:
    """Whether each value exceeds `factor` times the median of it and the n - 1 before it, n even.

    Counting what a value exceeds takes a tenth of the time that a median does, and tells, unless
    it is exactly half of them. Null until n values are known.
    """
    known = values.drop_nulls().to_numpy()
    last = known[n - 1 :]
    exceeded = np.zeros(len(last), dtype=np.uint8)
    for value in _backwards(factor * known, n):
        exceeded += last > value
    exceeds = exceeded > n // 2
    for i in np.flatnonzero(exceeded == n // 2):
        exceeds[i] = last[i] > factor * np.median(known[i : i + n])
    return _padded(pl.Series(exceeds), len(values) - len(exceeds))


def _derived() -> dict[str, pl.Expr]:
    gain, loss = pl.col("avg_gain_14"), pl.col("avg_loss_14")
    rsi = 100 * gain / (gain + loss)
    macd, signal = pl.col("macd"), pl.col("macd_signal")
    before = pl.col("volume_before")
    return {
        "rsi_14": pl.when(gain + loss == 0).then(50.0).otherwise(rsi),
        "macd_histogram": macd - signal,
        "volume_change": pl.when(before != 0).then(pl.col("volume") / before - 1),
        "market_regime": _market_regime(),
    }


def _market_regime() -> pl.Expr:
    is_volatile, trend = pl.col("is_volatile"), pl.col("adx_14")
    regime = (
        pl.when(is_volatile)
        .then(pl.lit("volatile"))
        .when(trend >= TREND_FROM)
        .then(pl.lit("trend"))
        .otherwise(pl.lit("range"))
    )
    return pl.when(is_volatile.is_not_null() & trend.is_not_null()).then(regime)


def _changes(last: State) -> dict[str, pl.Expr]:
    """What differs from the candle before, which is `last` for the first one."""
    regime, histogram = pl.col("market_regime"), pl.col("macd_histogram")
    regime_before = regime.shift(1, fill_value=pl.lit(last["market_regime"], dtype=pl.String))
    before = histogram.shift(1, fill_value=pl.lit(_histogram(last), dtype=pl.Float64))
    is_up, is_down = (histogram > 0) & (before <= 0), (histogram < 0) & (before >= 0)
    return {
        "is_regime_start": regime.is_not_null() & regime.ne_missing(regime_before),
        "macd_cross": pl.when(is_up).then(pl.lit("up")).when(is_down).then(pl.lit("down")),
    }


def _histogram(state: State) -> float | None:
    if state["macd_signal"] is None:
        return None
    return float(state["ema_12"] - state["ema_26"] - state["macd_signal"])
