"""The lakehouse's peers at draining a topic of trades, each as its documentation says.

Neither checks more than that a price and a volume are positive, keeps what it refuses, or drops a
trade that was sent twice.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import orjson
import polars as pl
from confluent_kafka import Consumer, Producer, TopicPartition
from deltalake import DeltaTable, write_deltalake
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.engine import stream_session
from lakehouse.kafka import client_config, offset_bounds, spark_options
from lakehouse.settings import Settings

SYMBOLS = [f"BINANCE:{name}USDT" for name in ("BTC", "ETH", "SOL", "XRP", "ADA", "DOGE", "LTC")]
START_MS = 1_772_452_800_000
A_SECOND = 50_000
BATCH = 500_000
SCHEMA = "symbol string, price double, timestamp bigint, volume double, conditions string, \
processed_at string"
KEY = ["symbol", "window_start"]


def fill_topic(settings: Settings, messages: int) -> None:
    """Seeded trades, 50,000 of each second."""
    chance = random.Random(5)  # noqa: S311 - data, not secrets
    producer = Producer({**client_config(settings), "linger.ms": 20, "compression.type": "snappy"})
    for number in range(messages):
        symbol = SYMBOLS[number % len(SYMBOLS)]
        value = {
            "symbol": symbol,
            "price": 60_000 + chance.randint(0, 10_000) / 100,
            "timestamp": START_MS + number * 1000 // A_SECOND,
            "volume": (1 + number) / 256,
            "conditions": None,
            "processed_at": "2026-03-02T12:00:00.000Z",
        }
        while True:
            try:
                producer.produce(settings.kafka.trades.name, orjson.dumps(value), symbol)
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush()


def spark_drains(settings: Settings, lake: Path) -> None:
    """Two queries: one appends the trades, one keeps the candles with a MERGE."""
    session = stream_session(settings)
    kafka = (
        session.readStream.format("kafka")
        .options(**spark_options(settings))
        .option("subscribe", settings.kafka.trades.name)
        .option("startingOffsets", "earliest")
        .option("maxOffsetsPerTrigger", BATCH)
        .load()
    )
    message = F.from_json(F.col("value").cast("string"), SCHEMA).alias("message")
    trades = kafka.select("partition", "offset", message).select("partition", "offset", "message.*")
    good = trades.where("price > 0 AND volume > 0").withColumn(
        "timestamp", F.timestamp_millis("timestamp")
    )
    silver = lake / "silver" / "trade_aggregates"
    queries = [_bronze_query(good, lake), _silver_query(good, lake, silver)]
    for query in queries:
        query.awaitTermination()
        if query.exception():
            sys.exit(str(query.exception()))
    session.stop()


def _bronze_query(good: DataFrame, lake: Path):  # type: ignore[no-untyped-def]
    dated = good.withColumns({"day": F.to_date("timestamp"), "hour": F.hour("timestamp")})
    return (
        dated.writeStream.format("delta")
        .partitionBy("day", "hour")
        .option("checkpointLocation", str(lake / "bronze-checkpoint"))
        .trigger(availableNow=True)
        .start(str(lake / "bronze" / "raw_trades"))
    )


def _silver_query(good: DataFrame, lake: Path, silver: Path):  # type: ignore[no-untyped-def]
    order = F.struct("timestamp", "offset")
    candles = (
        good.withWatermark("timestamp", "10 minutes")
        .groupBy("symbol", F.window("timestamp", "1 minute").alias("window"))
        .agg(
            F.min_by("price", order).alias("open"),
            F.max("price").alias("high"),
            F.min("price").alias("low"),
            F.max_by("price", order).alias("close"),
            F.sum("volume").alias("volume"),
            F.count("*").alias("trade_count"),
            F.stddev("price").alias("volatility"),
            (F.sum(F.col("price") * F.col("volume")) / F.sum("volume")).alias("vwap"),
        )
        .withColumn("window_start", F.col("window.start"))
        .drop("window")
    )
    path = str(silver)

    def merge(batch: DataFrame, number: int) -> None:
        if not DeltaTable.is_deltatable(path):
            batch.write.format("delta").save(path)
            return
        view = f"candles_{number}"
        batch.createOrReplaceTempView(view)
        batch.sparkSession.sql(
            f"MERGE INTO delta.`{path}` AS t USING {view} AS s "
            "ON t.symbol = s.symbol AND t.window_start = s.window_start "
            "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
        )

    return (
        candles.writeStream.outputMode("update")
        .foreachBatch(merge)
        .option("checkpointLocation", str(lake / "silver-checkpoint"))
        .trigger(availableNow=True)
        .start()
    )


def python_drains(settings: Settings, lake: Path) -> None:
    """One process: confluent-kafka, Polars and delta-rs."""
    config = client_config(settings)
    consumer = Consumer({**config, "group.id": lake.name, "enable.auto.commit": False})
    bounds = offset_bounds(config, settings.kafka.trades)
    topic = settings.kafka.trades.name
    consumer.assign([TopicPartition(topic, number, 0) for number in bounds])
    waiting = sum(end - first for first, end in bounds.values())
    while waiting:
        rows = []
        while len(rows) < min(BATCH, waiting):
            found = consumer.consume(min(50_000, waiting - len(rows)), timeout=1)
            rows += [{**orjson.loads(m.value()), "offset": m.offset()} for m in found]
        waiting -= len(rows)
        _python_lands(pl.DataFrame(rows), lake)
        consumer.commit(asynchronous=False)
    consumer.close()


def _python_lands(rows: pl.DataFrame, lake: Path) -> None:
    time_ = pl.from_epoch("timestamp", "ms").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    trades = rows.filter((pl.col("price") > 0) & (pl.col("volume") > 0)).with_columns(
        time_.alias("timestamp"), pl.col("conditions").cast(pl.String)
    )
    dated = trades.with_columns(
        pl.col("timestamp").dt.date().alias("day"), pl.col("timestamp").dt.hour().alias("hour")
    )
    bronze = str(lake / "bronze" / "raw_trades")
    write_deltalake(bronze, dated.to_arrow(), mode="append", partition_by=["day", "hour"])
    _python_merges(trades, str(lake / "silver" / "trade_aggregates"))


def _python_merges(trades: pl.DataFrame, silver: str) -> None:
    new = _candles(trades.sort("timestamp", "offset"))
    if DeltaTable.is_deltatable(silver):
        old = pl.read_delta(silver).select(new.columns)
        # The trades of the batch before came first, partition by partition.
        new = _candles_of_both(pl.concat([old, new]))
    write_deltalake(silver, new.to_arrow(), mode="overwrite")


def _candles(trades: pl.DataFrame) -> pl.DataFrame:
    price, volume = pl.col("price"), pl.col("volume")
    window = pl.col("timestamp").dt.truncate("1m").alias("window_start")
    return trades.group_by("symbol", window).agg(
        price.first().alias("open"),
        price.max().alias("high"),
        price.min().alias("low"),
        price.last().alias("close"),
        volume.sum(),
        pl.len().cast(pl.Int64).alias("trade_count"),
        (price * volume).sum().alias("turnover"),
        price.sum().alias("sum"),
        (price**2).sum().alias("squares"),
        pl.struct("timestamp", "offset").first().alias("first"),
        pl.struct("timestamp", "offset").last().alias("last"),
    )


def _candles_of_both(candles: pl.DataFrame) -> pl.DataFrame:
    sums = ("volume", "trade_count", "turnover", "sum", "squares")
    first, last = pl.col("first").struct, pl.col("last").struct
    begins = [first.field("timestamp"), first.field("offset")]
    ends = [last.field("timestamp"), last.field("offset")]
    return candles.group_by(KEY).agg(
        pl.col("open").sort_by(begins).first(),
        pl.col("high").max(),
        pl.col("low").min(),
        pl.col("close").sort_by(ends).last(),
        *(pl.col(name).sum() for name in sums),
        pl.col("first").sort_by(begins).first(),
        pl.col("last").sort_by(ends).last(),
    )


def demand_equal(found: list[pl.DataFrame]) -> None:
    """Every side's candles must be the same; sums of doubles to nine digits."""
    wanted = found[0]
    for other in found[1:]:
        is_near = ((wanted["volume"] - other["volume"]).abs() < 1e-9 * wanted["volume"]).all()
        if not (is_near and wanted.drop("volume").equals(other.drop("volume"))):
            sys.exit(f"the candles differ:\n{wanted}\n{other}")
