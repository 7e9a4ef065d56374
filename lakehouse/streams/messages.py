"""From Kafka's messages to gated rows: a plan that Spark carries out for every micro-batch."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.gate import Gate
from lakehouse.gate.marks import MARKS, REASONS
from lakehouse.gate.messages import LARGEST_BYTES
from lakehouse.settings import Settings
from lakehouse.streams.stream import Stream

SILVER_REASONS = "silver_reasons"
LAST_MILLIS = 253_402_300_799_999  # the end of the year 9999; what is later is no time
OCCURRENCE = "occurrence"
TRADE = "symbol string, price double, timestamp bigint, volume double, conditions string, \
processed_at string"
TICKER = "symbol string, price double, volume double, change_24h double, timestamp bigint, \
exchange string"


def gated(kafka: DataFrame, stream: Stream, settings: Settings) -> DataFrame:
    """The messages as rows (rows.TRADE_SCHEMA or PRICE_SCHEMA without batch_id), with `reasons`
    from the gate of bronze and `silver_reasons` from that of silver, where silver has rows of the
    same kind. `raw` is kept of refused rows only."""
    rows = PARSERS[stream.name](kafka)
    marked = _annotated(rows, stream.bronze_table, settings, REASONS)
    if stream.name == "prices":
        marked = _annotated(marked, stream.silver_table, settings, SILVER_REASONS)
        is_in_bronze = F.size(REASONS) == 0
        marked = marked.withColumn(SILVER_REASONS, F.when(is_in_bronze, F.col(SILVER_REASONS)))
    return marked.withColumn("raw", F.when(F.size(REASONS) > 0, F.col("raw")))


def _annotated(rows: DataFrame, table: str, settings: Settings, name: str) -> DataFrame:
    others = [mark for mark in MARKS if mark != REASONS]
    kept = rows.withColumnRenamed(REASONS, "_kept")  # of the gate before, if there was one
    marked = Gate(table, settings).annotate(kept).drop(*others).withColumnRenamed(REASONS, name)
    return marked.withColumnRenamed("_kept", REASONS)


def trades(kafka: DataFrame) -> DataFrame:
    """rows.TRADE_SCHEMA without batch_id."""
    message = F.col("message")
    return _opened(kafka, TRADE).select(
        message.getField("symbol").alias("symbol"),
        _time(message.getField("timestamp")).alias("timestamp"),
        message.getField("price").alias("price"),
        message.getField("volume").alias("volume"),
        message.getField("conditions").alias("conditions"),
        _occurrence().alias(OCCURRENCE),
        F.try_to_timestamp(message.getField("processed_at")).alias("processed_at"),
        *_where(),
    )


def tickers(kafka: DataFrame) -> DataFrame:
    """rows.PRICE_SCHEMA without batch_id."""
    message = F.col("message")
    names = ("price", "volume", "change_24h", "exchange")
    return _opened(kafka, TICKER).select(
        message.getField("symbol").alias("symbol"),
        _time(message.getField("timestamp")).alias("timestamp"),
        *(message.getField(name).alias(name) for name in names),
        *_where(),
    )


PARSERS: dict[str, Callable[[DataFrame], DataFrame]] = {"trades": trades, "prices": tickers}


def _opened(kafka: DataFrame, ddl: str) -> DataFrame:
    text = F.col("value").cast("string")
    # What is too large for a message is not looked into.
    is_small = F.octet_length("value") <= LARGEST_BYTES
    return kafka.select(
        "topic",
        "partition",
        "offset",
        F.col("timestamp").alias("received_at"),
        "headers",
        F.make_valid_utf8(text).alias("raw"),
        F.when(is_small, F.from_json(text, ddl)).alias("message"),
    )


def _where() -> list[Column]:
    source = F.concat_ws(" ", F.lit("kafka"), F.col("topic")).alias("source")
    return [*map(F.col, ("received_at", "topic", "partition", "offset")), source, F.col("raw")]


def _time(millis: Column) -> Column:
    return F.when(millis.between(0, LAST_MILLIS), F.timestamp_millis(millis))


def _occurrence() -> Column:
    named = F.filter("headers", lambda header: header.getField("key") == OCCURRENCE)
    number = F.get(named, 0).getField("value").cast("string").try_cast("int")
    return F.when(F.col("headers").isNull(), 0).otherwise(F.coalesce(number, F.lit(0)))
