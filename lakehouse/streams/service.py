"""A stream as background processes of the lake: its producer and the job that lands its topic."""

from __future__ import annotations

import hashlib
import sys
from contextlib import suppress

from lakehouse import services
from lakehouse.errors import BrokerUnreachable, EngineStartFailed, StreamStartFailed
from lakehouse.kafka import ensure_topics
from lakehouse.producers import producer_service
from lakehouse.services import Service
from lakehouse.settings import Settings
from lakehouse.streams.owner import disown
from lakehouse.streams.status import job_name, producer_name
from lakehouse.streams.stream import STREAMS, Stream


def job_service(settings: Settings, stream: Stream) -> Service:
    """How the stream's job is started; its kind changes with what it was told."""
    kafka = settings.kafka
    secrets = [secret and secret.get_secret_value() for secret in (kafka.sasl_password,)]
    told = (settings.streams, kafka, settings.engine, secrets)
    # Prometheus must know them beforehand, so each stream has its own.
    port = settings.streams.metrics_port + list(STREAMS).index(stream.name)

    def command(port: int) -> list[str]:
        module = [sys.executable, "-m", "lakehouse.streams"]
        return [*module, stream.name, "--metrics-port", str(port)]

    return Service(
        job_name(stream),
        hashlib.sha256(repr(told).encode()).hexdigest()[:12],
        settings.lake,
        command,
        {"LAKEHOUSE__ROOT": str(settings.lake)},
        port=port,
    )


def ensure_stream(settings: Settings, stream: Stream, *, with_producer: bool = True) -> None:
    """Have the broker, the topic, the producer and the job run.

    Raises StreamStartFailed, BrokerStartFailed, BrokerUnreachable, TopicDiffers.
    """
    if with_producer:
        ensure_producer(settings, stream)
    _ensure(job_service(settings, stream), stream)


def ensure_producer(settings: Settings, stream: Stream) -> None:
    """Have the producer run. Raises StreamStartFailed, BrokerStartFailed, TopicDiffers."""
    with suppress(BrokerUnreachable):  # what comes in meanwhile waits on disk
        ensure_topics(settings, [stream.topic(settings)])
    _ensure(producer_service(settings, stream.name), stream)


def _ensure(service: Service, stream: Stream) -> None:
    try:
        service.ensure()
    except EngineStartFailed as error:
        problem = f"{service.name}: {error.problem}"
        raise StreamStartFailed(stream=stream.name, problem=problem, log=error.log) from None


def is_alive(settings: Settings, stream: Stream) -> bool:
    """Whether both its processes live."""
    names = (producer_name(stream), job_name(stream))
    return all(services.find(settings.lake, name) for name in names)


def stop_stream(settings: Settings, stream: Stream) -> list[str]:
    """End its producer, then its job; the names of those that ran. What was accepted waits on disk
    or in the topic."""
    names = (producer_name(stream), job_name(stream))
    stopped = [name for name in names if services.stop(settings.lake, name)]
    disown(settings, stream)
    return stopped
