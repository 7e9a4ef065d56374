"""The streaming query: started where the last one stopped, by whoever is there to start it."""

from __future__ import annotations

import json
import shutil
import uuid
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery
from pyspark.sql.streaming.readwriter import DataStreamWriter

from lakehouse import delta, ops
from lakehouse.kafka import client_config, ensure_topics, offset_bounds, spark_options
from lakehouse.settings import Settings
from lakehouse.streams.landing import Landing
from lakehouse.streams.messages import gated
from lakehouse.streams.owner import Owner
from lakehouse.streams.record import last_batches, offsets_landed
from lakehouse.streams.stream import Stream


def start_query(
    session: SparkSession,
    settings: Settings,
    stream: Stream,
    owner: Owner | None = None,
    *,
    is_once: bool = False,
) -> StreamingQuery:
    """Start the stream's query at the engine; one that still runs there is stopped by Spark.

    It lands for as long as `owner` holds the stream; without one it claims it. `is_once` takes what
    is in the topic now and ends. Raises TopicDiffers, BrokerUnreachable.
    """
    ensure_topics(settings, [stream.topic(settings)])
    for table in (stream.bronze, stream.silver):
        delta.ensure_table(session, settings, table)
    run_id, checkpoint = _run(settings, stream)
    if owner is None:
        owner = Owner(settings, stream)
        owner.claim()
    rows = gated(_source(session, settings, stream), stream, settings)
    writer = rows.writeStream.queryName(stream.name).foreachBatch(
        Landing(settings, stream, run_id, owner)
    )
    writer = writer.option("checkpointLocation", str(checkpoint))
    return _triggered(writer, settings, is_once).start()


def _triggered(writer: DataStreamWriter, settings: Settings, is_once: bool) -> DataStreamWriter:
    if is_once:
        return writer.trigger(availableNow=True)
    millis = settings.streams.batch_seconds * 1000
    return writer.trigger(processingTime=f"{millis:.0f} milliseconds")


def _source(session: SparkSession, settings: Settings, stream: Stream) -> DataFrame:
    topic = stream.topic(settings).name
    return (
        session.readStream.format("kafka")
        .options(**spark_options(settings))
        .option("subscribe", topic)
        .option("startingOffsets", _starting_offsets(settings, stream))
        .option("maxOffsetsPerTrigger", settings.streams.batch_messages)
        .option("includeHeaders", "true")
        .load()
    )


def _run(settings: Settings, stream: Stream) -> tuple[str, Path]:
    """The run that the checkpoint belongs to, and the checkpoint.

    Micro-batches are numbered within a run, so a new checkpoint needs a new name: Delta would take
    its first batches for those of the run before.
    """
    home = stream.home(settings)
    named, checkpoint = home / "run_id", home / "checkpoint"
    if not (named.exists() and (checkpoint / "metadata").exists()):
        shutil.rmtree(checkpoint, ignore_errors=True)
        home.mkdir(parents=True, exist_ok=True)
        draft = named.with_suffix(".tmp")
        draft.write_text(f"{stream.name}-{ops.now():%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}")
        draft.replace(named)
    return named.read_text(), checkpoint


def _starting_offsets(settings: Settings, stream: Stream) -> str:
    """Where a query without a checkpoint begins: after what was landed, else with the first."""
    landed, topic = offsets_landed(last_batches(settings, stream)), stream.topic(settings)
    bounds = offset_bounds(client_config(settings), topic)
    places = {
        str(partition): landed[partition] if first <= landed.get(partition, -1) <= end else first
        for partition, (first, end) in bounds.items()
    }
    return json.dumps({topic.name: places})
