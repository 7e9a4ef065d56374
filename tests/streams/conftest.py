"""A real broker for the run, and a stream that takes what is in its topic when it is told to."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from confluent_kafka import Producer
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from lakehouse import ops
from lakehouse.dead_letters import DeadLetter, list_dead_letters
from lakehouse.kafka import ensure_topics
from lakehouse.settings import Settings
from lakehouse.streams.query import start_query
from lakehouse.streams.stream import Stream, stream_named

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HANGS_AFTER_SECONDS = 120


def at(seconds: float) -> int:
    """So long after START, in ms."""
    return int((START.timestamp() + seconds) * 1000)


def trade(seconds: float, price: Any = 100.0, **changes: Any) -> dict[str, Any]:
    """A message of the trades' topic; a field that is changed to ... is left out."""
    message = {
        "symbol": "BINANCE:BTCUSDT",
        "price": price,
        "timestamp": at(seconds),
        "volume": 0.5,
        "conditions": None,
        "processed_at": "2026-03-02T12:30:00.250Z",
        **changes,
    }
    return {name: value for name, value in message.items() if value is not ...}


@dataclass
class Streamed:
    """A stream of a lake of its own, with a topic of its own."""

    session: SparkSession
    settings: Settings
    stream: Stream

    @property
    def topic(self) -> str:
        return self.stream.topic(self.settings).name

    def changed(self, **options: Any) -> Streamed:
        """The same with other options of streams."""
        streams = self.settings.streams.model_copy(update=options)
        settings = self.settings.model_copy(update={"streams": streams})
        return Streamed(self.session, settings, self.stream)

    def send(self, *messages: Mapping[str, Any] | bytes, occurrence: int = 0) -> None:
        """Send messages as they are, others as JSON; all to one partition, so in this order."""
        topic = self.stream.topic(self.settings)
        ensure_topics(self.settings, [topic])
        servers = self.settings.kafka.bootstrap_servers
        producer = Producer({"bootstrap.servers": servers, "message.max.bytes": 3_000_000})
        headers = [("occurrence", str(occurrence).encode())] if occurrence else None
        for message in messages:
            value = message if isinstance(message, bytes) else json.dumps(message).encode()
            producer.produce(topic.name, value, partition=0, headers=headers)
        assert producer.flush(30) == 0

    def land(self) -> None:
        """Take what is in the topic."""
        query = start_query(self.session, self.settings, self.stream, is_once=True)
        deadline = time.monotonic() + HANGS_AFTER_SECONDS
        while query.isActive:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert query.exception() is None, str(query.exception())[:6000]

    def frame(self, name: str) -> pl.DataFrame:
        path = self.settings.lake.joinpath(*name.split("."))
        return pl.DataFrame(pl.from_arrow(DeltaTable(str(path)).to_pyarrow_table()))

    @property
    def bronze(self) -> pl.DataFrame:
        return self.frame(self.stream.bronze_table).sort("offset")

    @property
    def silver(self) -> pl.DataFrame:
        return self.frame(self.stream.silver_table).sort(self.stream.silver.keys)

    @property
    def letters(self) -> list[DeadLetter]:
        letters, unreadable = list_dead_letters(self.settings.lake)
        assert unreadable == []
        return letters

    def counted(self) -> dict[str, int]:
        """What ops.stream_batches says in all."""
        rows = ops.read(self.settings, "ops.stream_batches").to_pylist()
        names: Sequence[str] = [name for name in rows[0] if name.startswith("rows_")]
        return {name.removeprefix("rows_"): sum(row[name] for row in rows) for name in names}


def streamed(session: SparkSession, lake: Settings, servers: str, name: str) -> Streamed:
    topic = f"{name}-{uuid.uuid4().hex[:8]}"
    kafka = lake.kafka.model_copy(
        update={
            "bootstrap_servers": servers,
            name: getattr(lake.kafka, name).model_copy(update={"name": topic}),
        }
    )
    return Streamed(session, lake.model_copy(update={"kafka": kafka}), stream_named(name))


@pytest.fixture
def trades(spark: SparkSession, lake: Settings, servers: str) -> Streamed:
    return streamed(spark, lake, servers, "trades")


@pytest.fixture
def prices(spark: SparkSession, lake: Settings, servers: str) -> Streamed:
    return streamed(spark, lake, servers, "prices")
