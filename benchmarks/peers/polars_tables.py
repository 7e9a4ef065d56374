"""The tables of one asset, in Polars: each of its timeframes a frame of its own, in time order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import polars as pl

from benchmarks.peers import indicators

TIMEFRAMES = {
    "1m": timedelta(minutes=1),
    "5m": timedelta(minutes=5),
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "4h": timedelta(hours=4),
    "1d": timedelta(days=1),
}
CANDLE = ("timestamp", "open", "high", "low", "close", "volume")
SERIES = ("asset_pair", "timeframe", "timestamp")
REGIMES = ("trend", "range", "volatile")

TIME, CLOSE, MACD, RSI = map(pl.col, ("timestamp", "close", "macd", "rsi_14"))


def asset_pair(symbol: str) -> str:
    """BTCUSD of BTCUSDT."""
    return symbol.removesuffix("T")


def raw_candles(files: list[Path], timeframe: str) -> pl.LazyFrame:
    """What is valid in the files of an asset and timeframe, each row once, in time order."""
    asset = asset_pair(files[0].name.split("-")[0])
    parts = [pl.scan_parquet(file).with_columns(batch_id=pl.lit(file.name)) for file in files]
    frame = pl.concat(parts) if len(parts) > 1 else parts[0]
    frame = frame.filter(is_valid(TIMEFRAMES[timeframe])).sort("timestamp")
    return frame.map_batches(without_copies, schema=frame.collect_schema()).select(
        pl.lit(asset).alias("asset_pair"),
        *CANDLE,
        pl.lit("file").alias("provider"),
        pl.lit(timeframe).alias("timeframe"),
        pl.lit(datetime.now(UTC)).alias("ingested_at"),
        "batch_id",
        TIME.dt.date().alias("partition_date"),
        pl.lit(asset).alias("partition_asset_pair"),
    )


@cache
def is_valid(length: timedelta) -> pl.Expr:
    prices = [pl.col(name) for name in ("open", "high", "low", "close")]
    opened, high, low, close = prices
    volume = pl.col("volume")
    is_finite = [column.is_finite() for column in (*prices, volume)]
    micros = length // timedelta(microseconds=1)
    is_on_grid = TIME.dt.epoch("us") % micros == 0
    is_closed = pl.lit(datetime.now(UTC) - length) >= TIME
    is_in_range = [low > 0, low <= opened, opened <= high, low <= close, close <= high, volume >= 0]
    return pl.all_horizontal(TIME.is_not_null(), *is_finite, *is_in_range, is_on_grid, is_closed)


def without_copies(candles: pl.DataFrame) -> pl.DataFrame:
    if is_increasing(candles):
        return candles
    return candles.unique(CANDLE, keep="first", maintain_order=True)


def last_versions(candles: pl.DataFrame) -> pl.DataFrame:
    if is_increasing(candles):
        return candles
    return candles.unique("timestamp", keep="last", maintain_order=True)


def is_increasing(candles: pl.DataFrame) -> bool:
    """Of times in order: whether none is there twice."""
    times = candles["timestamp"]
    return (times.slice(1) != times.slice(0, times.len() - 1)).all()


def enriched(raw: pl.LazyFrame) -> pl.LazyFrame:
    names = ("asset_pair", "timeframe", *CANDLE, "provider", "batch_id")
    candles = raw.map_batches(last_versions, schema=raw.collect_schema()).select(names)
    return indicators.enriched(candles).select(*names, *indicators.ADDED)


@cache
def trend() -> pl.Expr:
    return (
        pl.when(MACD.abs() <= 1e-9 * CLOSE)
        .then(pl.lit("flat"))
        .when(MACD > 0)
        .then(pl.lit("up"))
        .when(MACD < 0)
        .then(pl.lit("down"))
    )


def technical_indicators(series: pl.LazyFrame) -> pl.LazyFrame:
    histogram, upper, lower = map(pl.col, ("macd_histogram", "bollinger_upper", "bollinger_lower"))
    before, width = histogram.shift(1), upper - lower
    zone = pl.when(RSI > 70).then(pl.lit("overbought")).when(RSI < 30).then(pl.lit("oversold"))
    is_up, is_down = (histogram > 0) & (before <= 0), (histogram < 0) & (before >= 0)
    kept = [name for name in indicators.ADDED if name not in NOT_IN_MART]
    return series.select(
        *SERIES,
        "close",
        *kept,
        trend=trend(),
        rsi_zone=zone.when(RSI.is_not_null()).then(pl.lit("neutral")),
        macd_cross=pl.when(is_up).then(pl.lit("up")).when(is_down).then(pl.lit("down")),
        bollinger_position=pl.when(width != 0).then((CLOSE - lower) / width),
    )


NOT_IN_MART = {
    *("volume_ratio", "volume_change", "log_return", "avg_gain_14", "avg_loss_14"),
    *("avg_plus_dm_14", "avg_minus_dm_14", "is_regime_start", "hour", "day_of_week"),
}


def multi_timeframe(symbol: str, series: dict[str, pl.LazyFrame]) -> pl.LazyFrame:
    """At each closing the last reading of each timeframe, unless two steps have gone by since."""
    readings = {name: reading(name, frame) for name, frame in series.items()}
    closings = pl.concat([frame.select("timestamp") for frame in readings.values()])
    result = closings.unique().sort("timestamp")
    for name, frame in readings.items():
        result = result.join_asof(frame, on="timestamp", tolerance=2 * TIMEFRAMES[name])
    for name in TIMEFRAMES.keys() - readings.keys():
        result = result.with_columns(no_reading(name))
    trends = [pl.col(f"trend_{name}") for name in TIMEFRAMES]
    up, down = (
        pl.sum_horizontal((t == side).fill_null(False) for t in trends) for side in ("up", "down")
    )
    columns = [f"{kind}_{name}" for name in TIMEFRAMES for kind in ("trend", "rsi", "regime")]
    return result.select(
        pl.lit(asset_pair(symbol)).alias("asset_pair"),
        "timestamp",
        *columns,
        confluence=pl.max_horizontal(up, down).cast(pl.Int32),
        confluence_trend=pl.when(up > down)
        .then(pl.lit("up"))
        .when(down > up)
        .then(pl.lit("down"))
        .otherwise(pl.lit("mixed")),
    )


def reading(name: str, series: pl.LazyFrame) -> pl.LazyFrame:
    return series.select(
        (TIME + TIMEFRAMES[name]).set_sorted(),
        trend().alias(f"trend_{name}"),
        RSI.alias(f"rsi_{name}"),
        pl.col("market_regime").alias(f"regime_{name}"),
    )


def no_reading(name: str) -> list[pl.Expr]:
    types = {"trend": pl.String, "rsi": pl.Float64, "regime": pl.String}
    return [pl.lit(None, dtype).alias(f"{kind}_{name}") for kind, dtype in types.items()]


def days(series: pl.LazyFrame, timeframe: str) -> pl.LazyFrame:
    """The days of an asset as one timeframe tells them."""
    high, low, volume, log_return = map(pl.col, ("high", "low", "volume", "log_return"))
    turnover = ((high + low + CLOSE) / 3 * volume).sum()
    candles_a_day = timedelta(days=1) // TIMEFRAMES[timeframe]
    return series.group_by("asset_pair", date=TIME.dt.date()).agg(
        pl.lit(timeframe).alias("source_timeframe"),
        pl.col("open").first(),
        high.max(),
        low.min(),
        CLOSE.last(),
        volume.sum(),
        vwap=pl.when(volume.sum() != 0).then(turnover / volume.sum()),
        candle_count=pl.len().cast(pl.Int64),
        coverage=pl.len() / candles_a_day,
        realised_volatility=pl.when(log_return.count() > 0).then((log_return**2).sum().sqrt()),
    )


def daily_metrics(days_by_timeframe: list[pl.DataFrame]) -> pl.DataFrame:
    """Each day from the finest timeframe that has it; the finest comes first."""
    finest = pl.concat(days_by_timeframe).unique(
        ["asset_pair", "date"], keep="first", maintain_order=True
    )
    opened, high, low = map(pl.col, ("open", "high", "low"))
    return finest.with_columns(
        daily_return=CLOSE / opened - 1, daily_range=(high - low) / opened
    ).sort("asset_pair", "date")


def regimes(series: pl.LazyFrame) -> pl.LazyFrame:
    log_return = pl.col("log_return")
    keys = ["asset_pair", "timeframe", "month", "market_regime"]
    return series.group_by(*keys[:2], "market_regime", month=TIME.dt.truncate("1mo").dt.date()).agg(
        candle_count=pl.len().cast(pl.Int64),
        times_entered=pl.col("is_regime_start").sum().cast(pl.Int64),
        mean_log_return=log_return.mean(),
        volatility=log_return.std(ddof=0),
        mean_adx=pl.col("adx_14").mean(),
        mean_natr=pl.col("natr_14").mean(),
    )


def regime_stats(statistics: pl.DataFrame) -> pl.DataFrame:
    """A row for each regime of each month, also where the month has none of it."""
    month = ["asset_pair", "timeframe", "month"]
    every = (
        statistics.select(month)
        .unique()
        .join(pl.DataFrame({"market_regime": REGIMES}), how="cross")
    )
    counts = pl.col("candle_count", "times_entered").fill_null(0)
    found = every.join(statistics, on=[*month, "market_regime"], how="left").with_columns(counts)
    total = pl.col("candle_count").sum().over(month)
    return found.with_columns(
        share_of_month=pl.when(total != 0).then(pl.col("candle_count") / total)
    ).sort(*month, "market_regime")


def resampled(minutes: pl.LazyFrame, timeframe: str) -> pl.LazyFrame:
    """The candles of a longer timeframe, from an asset's minutes in time order."""
    if timeframe == "1m":
        return minutes.select("asset_pair", pl.lit(timeframe).alias("timeframe"), *CANDLE)
    opened, high, low, volume = map(pl.col, ("open", "high", "low", "volume"))
    return (
        minutes.group_by_dynamic("timestamp", every=timeframe)
        .agg(
            pl.col("asset_pair").first(),
            pl.lit(timeframe).alias("timeframe"),
            *(opened.first(), high.max(), low.min(), CLOSE.last(), volume.sum()),
        )
        .select("asset_pair", "timeframe", *CANDLE)
    )


def plainly_enriched(minutes: pl.LazyFrame, timeframe: str) -> pl.LazyFrame:
    candles = indicators.plain(resampled(minutes, timeframe))
    return candles.select("asset_pair", "timeframe", *CANDLE, *indicators.PLAIN)


def plain_days(minutes: pl.LazyFrame) -> pl.LazyFrame:
    opened, high, low, volume = map(pl.col, ("open", "high", "low", "volume"))
    turnover = ((high + low + CLOSE) / 3 * volume).sum()
    days = minutes.group_by("asset_pair", date=TIME.dt.date(), maintain_order=True).agg(
        *(opened.first(), high.max(), low.min(), CLOSE.last(), volume.sum()),
        vwap=pl.when(volume.sum() != 0).then(turnover / volume.sum()),
        candle_count=pl.len().cast(pl.Int64),
    )
    return days.with_columns(daily_return=CLOSE / opened - 1, daily_range=(high - low) / opened)
