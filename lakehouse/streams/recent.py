"""What a stream of trades remembers of each symbol: its recent prices, and how far it has come.

It is found again from silver by whoever goes on with the stream.
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl
from deltalake import DeltaTable

from lakehouse.settings import StreamOptions
from lakehouse.streams.candles import candles_of
from lakehouse.streams.hours import last_hours

MEMORY = ["symbol", "window_start", "trade_count", "price_mean", "price_m2", "last_at"]
# Below so many prices nothing can be far from the others.
FEWEST_PRICES = 20
# A symbol that was quiet for longer is as good as new: no trade of it is late or far off.
HOURS = 48
LIMITS = ["symbol", "lowest", "highest", "late_before"]


class Recent:
    """Memory of the last `outlier_minutes` of each symbol, as pieces of candles."""

    def __init__(self, options: StreamOptions, pieces: pl.DataFrame) -> None:
        self.options = options
        self.pieces = pieces

    @classmethod
    def of(cls, options: StreamOptions, silver: DeltaTable) -> Recent:
        """The memory that a table silver.trade_aggregates holds, from its last hours."""
        recent = cls(options, pl.DataFrame())
        if files := last_hours(silver, HOURS):
            stored = pl.read_parquet(
                files, columns=[*MEMORY, "is_imputed"], hive_partitioning=False
            )
            recent.pieces = stored.filter(~pl.col("is_imputed")).select(MEMORY)
            recent._forget()
        return recent

    def limits(self, trades: pl.DataFrame) -> pl.DataFrame:
        """For each symbol of the trades: LIMITS, null where nothing can be said.

        A price below `lowest` or above `highest` is an outlier. What is older than `late_before`
        came too late. Where the memory has too few prices to judge by, those of the trades count
        with it.
        """
        symbols = trades.select("symbol").unique()
        spread = self._spread(self.pieces)
        own = trades.with_columns(pl.lit(False).alias("is_outlier"))
        both = self._spread(pl.concat([*self._pieces(), candles_of(own).select(MEMORY)]))
        judged = symbols.join(spread, on="symbol", how="left").join(
            both, on="symbol", how="left", suffix="_both"
        )
        return judged.select(
            "symbol",
            pl.coalesce("lowest", "lowest_both").alias("lowest"),
            pl.coalesce("highest", "highest_both").alias("highest"),
            "late_before",
        )

    def remember(self, trades: pl.DataFrame) -> None:
        """Take trades into the memory: symbol, timestamp, price, volume, offset, is_outlier."""
        if len(trades):
            self.pieces = pl.concat([*self._pieces(), candles_of(trades).select(MEMORY)])
            self._forget()

    def _pieces(self) -> list[pl.DataFrame]:
        return [self.pieces] if len(self.pieces) else []

    def _forget(self) -> None:
        reach = timedelta(minutes=self.options.outlier_minutes)
        newest = pl.col("window_start").max().over("symbol")
        self.pieces = self.pieces.filter(pl.col("window_start") > newest - reach)

    def _spread(self, pieces: pl.DataFrame) -> pl.DataFrame:
        """LIMITS from pieces of candles, by symbol."""
        if pieces.is_empty():
            kinds = (pl.String, pl.Float64, pl.Float64, pl.Datetime("us", "UTC"))
            return pl.DataFrame(schema=dict(zip(LIMITS, kinds, strict=True)))
        n, mean = pl.col("trade_count"), pl.col("price_mean")
        whole = (n * mean).sum() / n.sum()
        squares = pl.col("price_m2").sum() + (n * (mean - whole) ** 2).sum()
        spread = self.options.outlier_sigmas * (squares / (n.sum() - 1)).sqrt()
        is_known = n.sum() >= FEWEST_PRICES
        watermark = pl.col("last_at").max() - timedelta(minutes=self.options.watermark_minutes)
        return pieces.group_by("symbol").agg(
            pl.when(is_known).then(whole - spread).alias("lowest"),
            pl.when(is_known).then(whole + spread).alias("highest"),
            watermark.dt.truncate("1m").alias("late_before"),
        )


def flagged(trades: pl.DataFrame, limits: pl.DataFrame) -> pl.DataFrame:
    """The trades with is_outlier and is_late."""
    is_far = (pl.col("price") < pl.col("lowest")) | (pl.col("price") > pl.col("highest"))
    return trades.join(limits, on="symbol", how="left", maintain_order="left").with_columns(
        is_far.fill_null(False).alias("is_outlier"),
        (pl.col("timestamp") < pl.col("late_before")).fill_null(False).alias("is_late"),
    )
