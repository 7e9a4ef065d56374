"""Technical indicators of one asset and timeframe, in Polars.

The frame holds open, high, low, close and volume in time order. A value is null until its window
is full. `ewm_mean` begins with the first value that is not null, so the seed is put there.
"""

from __future__ import annotations

import polars as pl

ADDED = (
    *("sma_20", "ema_12", "ema_26", "rsi_14", "macd", "macd_signal", "macd_histogram"),
    *("bollinger_upper", "bollinger_middle", "bollinger_lower", "atr_14", "natr_14"),
    *("adx_14", "plus_di_14", "minus_di_14", "volume_ratio", "volume_change", "log_return"),
    *("avg_gain_14", "avg_loss_14", "avg_plus_dm_14", "avg_minus_dm_14"),
    *("market_regime", "is_regime_start", "hour", "day_of_week"),
)
PLAIN = (
    *("rsi_14", "macd", "macd_signal", "macd_histogram", "atr_14"),
    *("bollinger_upper", "bollinger_middle", "bollinger_lower"),
)

CLOSE, HIGH, LOW, VOLUME = map(pl.col, ("close", "high", "low", "volume"))
BEFORE = CLOSE.shift(1)
GAIN, LOSS = pl.col("avg_gain_14"), pl.col("avg_loss_14")
ROW = pl.int_range(pl.len())


def average(values: pl.Expr, first: int, n: int, weight: float) -> pl.Expr:
    """`weight` of each value and the rest of the average before; the mean of n values seeds it.

    `first` is the row of the first value.
    """
    seeded_at = first + n - 1
    seed = values.slice(first, n).mean()
    chain = pl.when(seeded_at < ROW).then(values).when(seeded_at == ROW).then(seed)
    return chain.ewm_mean(alpha=weight, adjust=False)


def ema(values: pl.Expr, n: int, first: int = 0) -> pl.Expr:
    return average(values, first, n, 2 / (n + 1))


def wilder(values: pl.Expr, first: int = 1) -> pl.Expr:
    return average(values, first, 14, 1 / 14)


def percent(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    return pl.when(whole == 0).then(0.0).otherwise(100 * part / whole)


def momentum() -> dict[str, pl.Expr]:
    step = CLOSE.diff()
    true_range = pl.max_horizontal(HIGH - LOW, (HIGH - BEFORE).abs(), (LOW - BEFORE).abs())
    return {
        "ema_12": ema(CLOSE, 12),
        "ema_26": ema(CLOSE, 26),
        "avg_gain_14": wilder(step.clip(lower_bound=0.0)),
        "avg_loss_14": wilder((-step).clip(lower_bound=0.0)),
        "atr_14": wilder(true_range),
    }


def bands() -> dict[str, pl.Expr]:
    mean, deviation = CLOSE.rolling_mean(20), CLOSE.rolling_std(20, ddof=0)
    return {
        "sma_20": mean,
        "bollinger_middle": mean,
        "bollinger_upper": mean + 2 * deviation,
        "bollinger_lower": mean - 2 * deviation,
    }


def direction() -> dict[str, pl.Expr]:
    up, down = HIGH.diff(), -LOW.diff()
    return {
        "avg_plus_dm_14": wilder(pl.when((up > down) & (up > 0)).then(up).otherwise(0.0)),
        "avg_minus_dm_14": wilder(pl.when((down > up) & (down > 0)).then(down).otherwise(0.0)),
    }


def volume() -> dict[str, pl.Expr]:
    mean, before = VOLUME.rolling_mean(20), VOLUME.shift(1)
    return {
        "volume_ratio": pl.when(mean != 0).then(VOLUME / mean),
        "volume_change": pl.when(before != 0).then(VOLUME / before - 1),
        "log_return": (CLOSE / BEFORE).log(),
    }


def oscillators() -> dict[str, pl.Expr]:
    both = GAIN + LOSS
    return {
        "macd": pl.col("ema_12") - pl.col("ema_26"),
        "rsi_14": pl.when(both == 0).then(50.0).otherwise(100 * GAIN / both),
    }


PLUS, MINUS = pl.col("plus_di_14"), pl.col("minus_di_14")


def direction_shares() -> dict[str, pl.Expr]:
    atr = pl.col("atr_14")
    return {
        "natr_14": atr / CLOSE,
        "plus_di_14": percent(pl.col("avg_plus_dm_14"), atr),
        "minus_di_14": percent(pl.col("avg_minus_dm_14"), atr),
    }


SIGNAL = ema(pl.col("macd"), 9, first=25)
HISTOGRAM = pl.col("macd") - pl.col("macd_signal")


def market_regime() -> pl.Expr:
    volatility, usual, trend = map(pl.col, ("natr_14", "usual", "adx_14"))
    regime = (
        pl.when(usual.is_null() | trend.is_null())
        .then(None)
        .when(volatility > 1.5 * usual)
        .then(pl.lit("volatile"))
        .when(trend >= 25)
        .then(pl.lit("trend"))
    )
    return regime.otherwise(pl.lit("range"))


def is_regime_start() -> pl.Expr:
    regime = pl.col("market_regime")
    return regime.is_not_null() & regime.ne_missing(regime.shift(1))


def calendar() -> dict[str, pl.Expr]:
    return {
        "hour": pl.col("timestamp").dt.hour().cast(pl.Int32),
        "day_of_week": pl.col("timestamp").dt.weekday().cast(pl.Int32),
    }


def stages() -> list[dict[str, pl.Expr]]:
    """Each made of the ones before."""
    index = percent((PLUS - MINUS).abs(), PLUS + MINUS)
    return [
        {**momentum(), **bands(), **direction(), **volume(), **calendar()},
        {**oscillators(), **direction_shares()},
        {
            "macd_signal": SIGNAL,
            "adx_14": wilder(index, first=14),
            "usual": pl.col("natr_14").rolling_median(100),
        },
        {"macd_histogram": HISTOGRAM, "market_regime": market_regime()},
        {"is_regime_start": is_regime_start()},
    ]


STAGES = stages()
PLAIN_STAGES = [
    {**momentum(), **bands()},
    oscillators(),
    {"macd_signal": SIGNAL},
    {"macd_histogram": HISTOGRAM},
]


def enriched(candles: pl.LazyFrame) -> pl.LazyFrame:
    """The candles with the columns ADDED."""
    for stage in STAGES:
        candles = candles.with_columns(**stage)
    return candles


def plain(candles: pl.LazyFrame) -> pl.LazyFrame:
    """The candles with the columns PLAIN, and what these are made of."""
    for stage in PLAIN_STAGES:
        candles = candles.with_columns(**stage)
    return candles
