"""The tables in PySpark: native functions, and Polars in applyInArrow for recursive averages."""

from __future__ import annotations

from functools import reduce
from pathlib import Path

import polars as pl
import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from benchmarks.peers import indicators

A_MINUTE = 60_000_000
MINUTES = {"1m": 1, "5m": 5, "15m": 15, "1h": 60, "4h": 240, "1d": 1440}
CANDLE = ("timestamp", "open", "high", "low", "close", "volume")
INPUT = "timestamp timestamp, open double, high double, low double, close double, volume double"
SERIES = ("asset_pair", "timeframe", "timestamp")
READING = ("trend", "rsi", "regime")
REGIMES = ("trend", "range", "volatile")
NOT_DOUBLE = {
    **{"asset_pair": "string", "timeframe": "string", "timestamp": "timestamp"},
    **{"provider": "string", "batch_id": "string", "market_regime": "string"},
    **{"is_regime_start": "boolean", "hour": "int", "day_of_week": "int"},
}
IN_MART = (
    *("sma_20", "ema_12", "ema_26", "rsi_14", "macd", "macd_signal", "macd_histogram"),
    *("bollinger_upper", "bollinger_middle", "bollinger_lower", "atr_14", "natr_14"),
    *("adx_14", "plus_di_14", "minus_di_14", "market_regime"),
)


def micros_of(timeframe: str) -> Column:
    length = F.lit(None).cast("bigint")
    for name, minutes in MINUTES.items():
        length = F.when(F.col(timeframe) == name, minutes * A_MINUTE).otherwise(length)
    return length.cast("bigint")


def knows_file_names(session: SparkSession) -> bool:
    """Spark tells of a row which file it comes from; Sail does not have the function."""
    try:
        return bool(session.range(1).select(F.input_file_name()).columns)
    except PySparkException:
        return False


def candles_of(session: SparkSession, files: list[Path]) -> DataFrame:
    if knows_file_names(session):
        rows = session.read.schema(INPUT).parquet(*map(str, files))
        name = F.element_at(F.split(F.input_file_name(), "/"), -1)
        return with_file(rows, name)
    parts = (session.read.schema(INPUT).parquet(str(file)) for file in files)
    named = (with_file(part, F.lit(file.name)) for part, file in zip(parts, files, strict=True))
    return reduce(DataFrame.unionByName, named)


def with_file(rows: DataFrame, name: Column) -> DataFrame:
    asset = F.regexp_extract(name, "^([A-Z]+)T-", 1)
    return rows.select(asset.alias("asset_pair"), *CANDLE, name.alias("batch_id"))


def raw_candles(session: SparkSession, files: list[Path], timeframe: str) -> DataFrame:
    """What is valid in the files of a timeframe, each row once."""
    valid = candles_of(session, files).where(is_valid(MINUTES[timeframe]))
    return without_copies(valid).select(
        "asset_pair",
        *CANDLE,
        F.lit("file").alias("provider"),
        F.lit(timeframe).alias("timeframe"),
        F.current_timestamp().alias("ingested_at"),
        "batch_id",
        F.to_date("timestamp").alias("partition_date"),
        F.col("asset_pair").alias("partition_asset_pair"),
    )


def without_copies(candles: DataFrame) -> DataFrame:
    """In order, a copy comes after its like. dropDuplicates takes ten times as long on Sail."""
    in_order = Window.partitionBy("asset_pair").orderBy(*CANDLE)
    before = {f"{name}_before": F.lag(name).over(in_order) for name in CANDLE}
    is_copy = [F.col(f"{name}_before").eqNullSafe(F.col(name)) for name in CANDLE]
    once = candles.withColumns(before).where(~reduce(Column.__and__, is_copy))
    return once.drop(*before)


def is_valid(minutes: int) -> Column:
    prices = [F.col(name) for name in ("open", "high", "low", "close")]
    opened, high, low, close = prices
    time, volume = F.col("timestamp"), F.col("volume")
    is_finite = [~F.isnan(each) & (F.abs(each) < float("inf")) for each in (*prices, volume)]
    is_in_range = [low > 0, low <= opened, opened <= high, low <= close, close <= high, volume >= 0]
    is_on_grid = F.unix_micros(time) % (minutes * A_MINUTE) == 0
    is_closed = F.unix_micros(time) + minutes * A_MINUTE <= F.unix_micros(F.current_timestamp())
    return reduce(Column.__and__, [*is_finite, *is_in_range, is_on_grid, is_closed])


def with_indicators(group: pa.Table) -> pa.Table:
    candles = pl.DataFrame(group).sort("timestamp")
    once = candles.filter(pl.col("timestamp").ne_missing(pl.col("timestamp").shift(-1)))
    result = indicators.enriched(once.lazy()).collect(engine="in-memory")
    return with_short_strings(result.select(*once.columns, *indicators.ADDED).to_arrow())


def with_short_strings(table: pa.Table) -> pa.Table:
    """Spark's strings have offsets of 32 bits, those of Polars 64."""
    fields = [
        field.with_type(pa.string()) if pa.types.is_large_string(field.type) else field
        for field in table.schema
    ]
    return table.cast(pa.schema(fields))


def enriched(candles: DataFrame) -> DataFrame:
    columns = ("asset_pair", "timeframe", *CANDLE, "provider", "batch_id")
    schema = schema_of((*columns, *indicators.ADDED))
    series = candles.select(*columns).groupBy("asset_pair", "timeframe")
    return plain_strings(series.applyInArrow(with_indicators, schema))


def schema_of(names: tuple[str, ...]) -> str:
    return ", ".join(f"{name} {NOT_DOUBLE.get(name, 'double')}" for name in names)


def plain_strings(rows: DataFrame) -> DataFrame:
    """Spark gives a function's strings a collation of their own, which delta-rs cannot read."""
    strings = [name for name in rows.columns if NOT_DOUBLE.get(name) == "string"]
    return rows.withColumns({name: F.col(name).cast("string") for name in strings})


def trend() -> Column:
    macd, close = F.col("macd"), F.col("close")
    return F.when(F.abs(macd) <= 1e-9 * close, "flat").when(macd > 0, "up").when(macd < 0, "down")


def technical_indicators(silver: DataFrame) -> DataFrame:
    in_order = Window.partitionBy("asset_pair", "timeframe").orderBy("timestamp")
    histogram, before = F.col("macd_histogram"), F.lag("macd_histogram").over(in_order)
    upper, lower, rsi = map(F.col, ("bollinger_upper", "bollinger_lower", "rsi_14"))
    zone = F.when(rsi > 70, "overbought").when(rsi < 30, "oversold")
    is_up, is_down = (histogram > 0) & (before <= 0), (histogram < 0) & (before >= 0)
    return silver.select(
        *SERIES,
        "close",
        *IN_MART,
        trend().alias("trend"),
        zone.when(rsi.isNotNull(), "neutral").alias("rsi_zone"),
        F.when(is_up, "up").when(is_down, "down").alias("macd_cross"),
        ((F.col("close") - lower) / F.nullif(upper - lower, F.lit(0.0))).alias(
            "bollinger_position"
        ),
    )


def multi_timeframe(silver: DataFrame) -> DataFrame:
    """At each closing the last reading of each timeframe, unless two steps have gone by since.

    `last(…, ignorenulls=True)` over the closings says the same; on Sail it took 70 times as long.
    """
    closed_at = F.unix_micros("timestamp") + micros_of("timeframe")
    readings = silver.select(
        *("asset_pair", "timeframe"),
        F.timestamp_micros(closed_at).alias("closed_at"),
        trend().alias("trend"),
        F.col("rsi_14").alias("rsi"),
        F.col("market_regime").alias("regime"),
    )
    closings = readings.groupBy("asset_pair", F.col("closed_at").alias("timestamp")).agg(
        *(F.max(closed_in(name)).alias(f"closed_{name}") for name in MINUTES)
    )
    latest = closings.select("asset_pair", "timestamp", *map(last_closing, MINUTES))
    for name in MINUTES:
        at = f"closed_{name}"
        latest = latest.join(readings_of(readings, name), on=["asset_pair", at], how="left")
    return confluence(latest)


def closed_in(name: str) -> Column:
    return F.when(F.col("timeframe") == name, F.col("closed_at"))


def last_closing(name: str) -> Column:
    in_order = Window.partitionBy("asset_pair").orderBy("timestamp")
    so_far = in_order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    last = F.max(f"closed_{name}").over(so_far)
    age = F.unix_micros("timestamp") - F.unix_micros(last)
    return F.when(age <= 2 * MINUTES[name] * A_MINUTE, last).alias(f"closed_{name}")


def readings_of(readings: DataFrame, name: str) -> DataFrame:
    return readings.where(F.col("timeframe") == name).select(
        "asset_pair",
        F.col("closed_at").alias(f"closed_{name}"),
        *(F.col(kind).alias(f"{kind}_{name}") for kind in READING),
    )


def confluence(latest: DataFrame) -> DataFrame:
    readings = [f"{kind}_{name}" for name in MINUTES for kind in READING]
    up, down = (count_of(side) for side in ("up", "down"))
    return latest.select(
        "asset_pair",
        "timestamp",
        *readings,
        F.greatest(up, down).cast("int").alias("confluence"),
        F.when(up > down, "up")
        .when(down > up, "down")
        .otherwise("mixed")
        .alias("confluence_trend"),
    )


def count_of(side: str) -> Column:
    is_side = (F.when(F.col(f"trend_{name}") == side, 1).otherwise(0) for name in MINUTES)
    return reduce(Column.__add__, is_side)


def daily_metrics(silver: DataFrame) -> DataFrame:
    """Each day from the finest timeframe that has it."""
    days = silver.groupBy("asset_pair", F.to_date("timestamp").alias("date"), "timeframe")
    return_squared = F.col("log_return") * F.col("log_return")
    told = days.agg(
        *candle(),
        *vwap_and_count(),
        F.sqrt(F.sum(return_squared)).alias("realised_volatility"),
    )
    by_length = Window.partitionBy("asset_pair", "date").orderBy(micros_of("timeframe"))
    finest = told.withColumn("place", F.row_number().over(by_length)).where("place = 1")
    candles_a_day = 1440 * A_MINUTE / micros_of("timeframe")
    return finest.select(
        *("asset_pair", "date", F.col("timeframe").alias("source_timeframe")),
        *("open", "high", "low", "close", "volume", "vwap", "candle_count"),
        (F.col("candle_count") / candles_a_day).alias("coverage"),
        "realised_volatility",
        *day_changes(),
    )


def vwap_and_count() -> list[Column]:
    turnover = F.expr("sum((high + low + close) / 3 * volume)")
    return [
        (turnover / F.nullif(F.sum("volume"), F.lit(0.0))).alias("vwap"),
        F.count("*").alias("candle_count"),
    ]


def day_changes() -> list[Column]:
    opened, high, low, close = map(F.col, ("open", "high", "low", "close"))
    return [
        (close / opened - 1).alias("daily_return"),
        ((high - low) / opened).alias("daily_range"),
    ]


def regime_stats(silver: DataFrame) -> DataFrame:
    """A row for each regime of each month, also where the month has none of it."""
    month = ["asset_pair", "timeframe", "month"]
    candles = silver.withColumn("month", F.to_date(F.date_trunc("month", "timestamp")))
    found = candles.groupBy(*month, "market_regime").agg(
        F.count("*").alias("candle_count"),
        F.count_if("is_regime_start").alias("times_entered"),
        F.avg("log_return").alias("mean_log_return"),
        F.stddev_pop("log_return").alias("volatility"),
        F.avg("adx_14").alias("mean_adx"),
        F.avg("natr_14").alias("mean_natr"),
    )
    regimes = F.explode(F.array(*map(F.lit, REGIMES))).alias("market_regime")
    every = found.select(*month).distinct().select(*month, regimes)
    counted = every.join(found, on=[*month, "market_regime"], how="left").fillna(
        0, ["candle_count", "times_entered"]
    )
    total = F.sum("candle_count").over(Window.partitionBy(*month))
    share = F.col("candle_count") / F.nullif(total, F.lit(0))
    return counted.withColumn("share_of_month", share)


def resampled(minutes: DataFrame) -> DataFrame:
    """The candles of all timeframes, from those of a minute."""
    names = ("asset_pair", "timeframe", *CANDLE)
    longer = [one_timeframe(minutes, name) for name in MINUTES if name != "1m"]
    parts = [minutes.select(*names), *(part.select(*names) for part in longer)]
    return reduce(DataFrame.unionByName, parts)


def one_timeframe(minutes: DataFrame, name: str) -> DataFrame:
    length = MINUTES[name] * A_MINUTE
    micros = F.unix_micros("timestamp")
    opening = F.timestamp_micros(micros - micros % length).alias("opening")
    candles = minutes.groupBy("asset_pair", opening).agg(*candle())
    return candles.withColumnRenamed("opening", "timestamp").withColumn("timeframe", F.lit(name))


def candle() -> list[Column]:
    return [
        F.min_by("open", "timestamp").alias("open"),
        F.max("high").alias("high"),
        F.min("low").alias("low"),
        F.max_by("close", "timestamp").alias("close"),
        F.sum("volume").alias("volume"),
    ]


def with_plain_indicators(group: pa.Table) -> pa.Table:
    candles = pl.DataFrame(group).sort("timestamp")
    result = indicators.plain(candles.lazy()).collect(engine="in-memory")
    return with_short_strings(result.select(*candles.columns, *indicators.PLAIN).to_arrow())


def plainly_enriched(candles: DataFrame) -> DataFrame:
    names = ("asset_pair", "timeframe", *CANDLE, *indicators.PLAIN)
    series = candles.groupBy("asset_pair", "timeframe")
    return plain_strings(series.applyInArrow(with_plain_indicators, schema_of(names)))


def plain_days(minutes: DataFrame) -> DataFrame:
    days = minutes.groupBy("asset_pair", F.to_date("timestamp").alias("date"))
    told = days.agg(*candle(), *vwap_and_count())
    return told.select("*", *day_changes())
