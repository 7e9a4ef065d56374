"""The indicators again, in plain Python, from the books: an implementation to compare with.

Wilder's "New Concepts in Technical Trading Systems" (1978) keeps sums (`sum - sum / 14 + value`)
where the library keeps averages; MACD and the bands are Appel's and Bollinger's own definitions.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Sequence

Values = list[float | None]
N = 14


def average(values: Sequence[float | None], n: int) -> Values:
    """Exponential moving average: the mean of the first n, then `k * value + (1 - k) * before`."""
    k, result, seed = 2 / (n + 1), [], []
    before: float | None = None
    for value in values:
        if value is not None and before is not None:
            before = k * value + (1 - k) * before
        elif value is not None:
            seed.append(value)
            before = statistics.fmean(seed) if len(seed) == n else None
        result.append(before)
    return result


def wilder_sum(values: Sequence[float | None]) -> Values:
    """Wilder's running sum: of the first 14 values, then `sum - sum / 14 + value`."""
    result: Values = []
    seed: list[float] = []
    total: float | None = None
    for value in values:
        if value is not None and total is not None:
            total = total - total / N + value
        elif value is not None:
            seed.append(value)
            total = math.fsum(seed) if len(seed) == N else None
        result.append(total)
    return result


def windows(values: Sequence[float | None], n: int, of: Callable[[list[float]], float]) -> Values:
    result: Values = []
    for end in range(1, len(values) + 1):
        window = [value for value in values[max(0, end - n) : end] if value is not None]
        result.append(of(window) if len(window) == n else None)
    return result


def each(of: Callable[..., float | None], *columns: Sequence[float | None]) -> Values:
    """`of` row by row; null where any argument is."""
    return [None if None in row else of(*row) for row in zip(*columns, strict=True)]


def percent(part: float, whole: float) -> float:
    return 100 * part / whole if whole else 0.0


def relative_strength(gain: float, loss: float) -> float:
    if loss == 0:
        return 100.0 if gain else 50.0
    return 100 - 100 / (1 + gain / loss)


def directional(high: list[float], low: list[float], close: list[float]) -> dict[str, Values]:
    ranges: Values = [None]
    plus: Values = [None]
    minus: Values = [None]
    for i in range(1, len(close)):
        ranges.append(max(high[i], close[i - 1]) - min(low[i], close[i - 1]))
        up, down = high[i] - high[i - 1], low[i - 1] - low[i]
        plus.append(up if up > down and up > 0 else 0.0)
        minus.append(down if down > up and down > 0 else 0.0)
    total = wilder_sum(ranges)
    plus_di = each(percent, wilder_sum(plus), total)
    minus_di = each(percent, wilder_sum(minus), total)
    index = each(lambda p, m: percent(abs(p - m), p + m), plus_di, minus_di)
    return {
        "atr_14": each(lambda s: s / N, total),
        "plus_di_14": plus_di,
        "minus_di_14": minus_di,
        "adx_14": each(lambda s: s / N, wilder_sum(index)),
    }


def momentum(close: list[float]) -> dict[str, Values]:
    steps: Values = [None, *(b - a for a, b in itertools.pairwise(close))]
    gain = wilder_sum(each(lambda s: max(s, 0.0), steps))
    loss = wilder_sum(each(lambda s: max(-s, 0.0), steps))
    fast, slow = average(close, 12), average(close, 26)
    macd = each(lambda f, s: f - s, fast, slow)
    signal = average(macd, 9)
    return {
        "rsi_14": each(relative_strength, gain, loss),
        "ema_12": fast,
        "ema_26": slow,
        "macd": macd,
        "macd_signal": signal,
        "macd_histogram": each(lambda m, s: m - s, macd, signal),
    }


def bands(close: list[float], volume: list[float]) -> dict[str, Values]:
    middle = windows(close, 20, statistics.fmean)
    width = windows(close, 20, lambda window: 2 * statistics.pstdev(window))
    usual = windows(volume, 20, statistics.fmean)
    before: Values = [None, *volume[:-1]]
    prices: Values = [None, *close[:-1]]
    return {
        "sma_20": middle,
        "bollinger_middle": middle,
        "bollinger_upper": each(lambda m, w: m + w, middle, width),
        "bollinger_lower": each(lambda m, w: m - w, middle, width),
        "volume_ratio": each(lambda v, u: v / u if u else None, volume, usual),
        "volume_change": each(lambda v, b: v / b - 1 if b else None, volume, before),
        "log_return": each(lambda c, b: math.log(c / b), close, prices),
    }


def regimes(natr: Values, adx: Values) -> list[str | None]:
    usual = windows(natr, 100, statistics.median)
    named = []
    for volatility, median, strength in zip(natr, usual, adx, strict=True):
        if volatility is None or median is None or strength is None:
            named.append(None)
        elif volatility > 1.5 * median:
            named.append("volatile")
        else:
            named.append("trend" if strength >= 25 else "range")
    return named


def by_the_book(
    high: list[float], low: list[float], close: list[float], volume: list[float]
) -> dict[str, Values]:
    """Every indicator that has a number, by name."""
    found = momentum(close) | bands(close, volume) | directional(high, low, close)
    return found | {"natr_14": each(lambda a, c: a / c, found["atr_14"], close)}
