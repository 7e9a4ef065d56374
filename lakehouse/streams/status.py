"""How the streams are: are they alive, how fast, how far behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from lakehouse import ops, services
from lakehouse.errors import BrokerUnreachable
from lakehouse.kafka import known_servers, offset_bounds, security
from lakehouse.settings import Settings
from lakehouse.streams.record import last_batches, offsets_landed, rate
from lakehouse.streams.stream import Stream


@dataclass(frozen=True, slots=True)
class Status:
    """A stream as it is now; what is not known is None.

    `lag_seconds` is how long ago the broker got the newest message that was landed, 0 where none is
    waiting.
    """

    stream: str
    producer: str
    job: str
    messages_per_second: float
    lag_messages: int | None
    lag_seconds: float | None
    last_batch_at: datetime | None
    last_batch_rows: int | None
    last_batch_seconds: float | None


def status_of(settings: Settings, stream: Stream) -> Status:
    """How the stream is, from its record and the broker."""
    batches = last_batches(settings, stream)
    last = batches[0] if batches else None
    waiting = _lag_messages(settings, stream, offsets_landed(batches))
    return Status(
        stream=stream.name,
        producer=_life(settings, producer_name(stream)),
        job=_life(settings, job_name(stream)),
        messages_per_second=rate(batches),
        lag_messages=waiting,
        lag_seconds=_lag_seconds(waiting, last["received_at"] if last else None),
        last_batch_at=last["recorded_at"] if last else None,
        last_batch_rows=last["rows_in"] if last else None,
        last_batch_seconds=last["duration_seconds"] if last else None,
    )


def job_name(stream: Stream) -> str:
    return f"{stream.name}-stream"


def producer_name(stream: Stream) -> str:
    return f"{stream.name}-producer"


def _life(settings: Settings, service: str) -> str:
    running = services.find(settings.lake, service)
    return f"process {running.pid}" if running else "stopped"


def _lag_seconds(waiting: int | None, received_at: datetime | None) -> float | None:
    if waiting == 0:
        return 0.0
    if waiting is None or received_at is None:
        return None
    return (ops.now() - received_at).total_seconds()


def _lag_messages(settings: Settings, stream: Stream, landed: Mapping[int, int]) -> int | None:
    """Messages in the topic that were not landed yet; None where no broker says."""
    servers = known_servers(settings)
    if servers is None:
        return None
    config = {"bootstrap.servers": servers, **security(settings.kafka)}
    try:
        bounds = offset_bounds(config, stream.topic(settings))
    except BrokerUnreachable:
        return None
    return sum(end - max(first, landed.get(n, 0)) for n, (first, end) in bounds.items())
