"""One-minute candles of trades, and how two partial candles of a minute become one.

Means and squared deviations are joined as in Chan, Golub and LeVeque, "Updating formulae and a
pairwise algorithm for computing sample variances" (1979); a sum of squares would lose the digits
that tell one price from the next.
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl

KEY = ["symbol", "window_start"]
WINDOW_START = pl.col("timestamp").dt.truncate("1m").alias("window_start")
VALUES = [
    "open",
    "high",
    "low",
    "close",
    "volume",
    "trade_count",
    "turnover",
    "outlier_count",
    "is_imputed",
    "price_mean",
    "price_m2",
    "first_at",
    "first_offset",
    "last_at",
    "last_offset",
]


def candles_of(trades: pl.DataFrame) -> pl.DataFrame:
    """Candles (KEY and VALUES) of trades: symbol, timestamp, price, volume, offset, is_outlier.

    Of trades at the same time the one with the lower offset came first.
    """
    price, volume = pl.col("price"), pl.col("volume")
    minutes = trades.sort("timestamp", "offset").group_by("symbol", WINDOW_START)
    return minutes.agg(
        price.first().alias("open"),
        price.max().alias("high"),
        price.min().alias("low"),
        price.last().alias("close"),
        volume.sum(),
        pl.len().cast(pl.Int64).alias("trade_count"),
        (price * volume).sum().alias("turnover"),
        pl.col("is_outlier").sum().cast(pl.Int64).alias("outlier_count"),
        pl.lit(False).alias("is_imputed"),
        price.mean().alias("price_mean"),
        ((price - price.mean()) ** 2).sum().alias("price_m2"),
        pl.col("timestamp").first().alias("first_at"),
        pl.col("offset").first().alias("first_offset"),
        pl.col("timestamp").last().alias("last_at"),
        pl.col("offset").last().alias("last_offset"),
    )


def joined(old: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """Candles of the trades of both; a minute that only one has stays as it is there.

    An imputed candle has no trades, so it gives way to any that has.
    """
    real = old.filter(~pl.col("is_imputed")).select(KEY + VALUES)
    both = real.join(new, on=KEY, how="inner", suffix="_new")
    alone = [real.join(new, on=KEY, how="anti"), new.join(real, on=KEY, how="anti")]
    return pl.concat([_merged(both), *(frame.select(KEY + VALUES) for frame in alone)])


def _merged(both: pl.DataFrame) -> pl.DataFrame:
    """Columns of two candles side by side, those of the second with the suffix `_new`."""
    a, b = pl.col("trade_count"), pl.col("trade_count_new")
    apart = pl.col("price_mean_new") - pl.col("price_mean")
    is_first = _order("first") <= _order("first", "_new")
    is_last = _order("last") > _order("last", "_new")
    chosen = (
        (is_first, ("open", "first_at", "first_offset")),
        (is_last, ("close", "last_at", "last_offset")),
    )
    sums = ("volume", "trade_count", "turnover", "outlier_count")
    return both.select(
        *KEY,
        *(
            pl.when(holds).then(pl.col(name)).otherwise(pl.col(f"{name}_new")).alias(name)
            for holds, names in chosen
            for name in names
        ),
        pl.max_horizontal("high", "high_new").alias("high"),
        pl.min_horizontal("low", "low_new").alias("low"),
        *((pl.col(name) + pl.col(f"{name}_new")).alias(name) for name in sums),
        pl.lit(False).alias("is_imputed"),
        (pl.col("price_mean") + apart * b / (a + b)).alias("price_mean"),
        (pl.col("price_m2") + pl.col("price_m2_new") + apart**2 * a * b / (a + b)).alias(
            "price_m2"
        ),
    ).select(KEY + VALUES)


def _order(end: str, suffix: str = "") -> pl.Expr:
    """A number that grows with (time, offset): milliseconds and the offset within them."""
    micros = pl.col(f"{end}_at{suffix}").dt.epoch("us").cast(pl.Int128)
    return micros * (1 << 62) + pl.col(f"{end}_offset{suffix}").cast(pl.Int128)


def with_flat_candles(candles: pl.DataFrame, longest: timedelta) -> pl.DataFrame:
    """The candles (KEY and VALUES) that have trades, and flat ones for the minutes between them, at
    the last close; none where the next trade was more than `longest` away."""
    real = candles.filter(~pl.col("is_imputed")).select(KEY + VALUES).sort(KEY)
    start = pl.col("window_start")
    following = start.shift(-1).over("symbol")
    minute = timedelta(minutes=1)
    is_silence = (following - start > minute) & (following - start <= longest)
    silences = real.with_columns(following.alias("next")).filter(is_silence)
    minutes = pl.datetime_ranges(start + minute, pl.col("next") - minute, "1m")
    flat = silences.with_columns(minutes.alias("window_start")).explode("window_start")
    close, zeros = pl.col("close"), ("volume", "trade_count", "turnover", "outlier_count")
    nothing = ("first_at", "first_offset", "last_at", "last_offset")
    flat = flat.with_columns(
        pl.lit(True).alias("is_imputed"),
        *(close.alias(name) for name in ("open", "high", "low", "price_mean")),
        *(pl.lit(0).cast(flat.schema[name]).alias(name) for name in (*zeros, "price_m2")),
        *(pl.lit(None).cast(flat.schema[name]).alias(name) for name in nothing),
    )
    return pl.concat([real, flat.select(KEY + VALUES)])


def with_figures(candles: pl.DataFrame) -> pl.DataFrame:
    """The candles with what follows from their state: window_end, volatility, vwap."""
    count = pl.col("trade_count")
    spread = (pl.col("price_m2") / (count - 1)).sqrt()
    return candles.with_columns(
        (pl.col("window_start") + pl.duration(minutes=1)).alias("window_end"),
        pl.when(count > 1).then(spread).alias("volatility"),
        pl.when(pl.col("volume") > 0).then(pl.col("turnover") / pl.col("volume")).alias("vwap"),
    )
