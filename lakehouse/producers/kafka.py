"""The Kafka producer as the sender needs it: idempotent, patient, quiet about what went well."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import structlog
from confluent_kafka import KafkaError, KafkaException, Producer

from lakehouse.errors import BrokerUnreachable, StreamFailed
from lakehouse.kafka import client_config, ensure_topics
from lakehouse.settings import Settings, Topic

log = structlog.get_logger(__name__)

SECONDS_BETWEEN_NOTES = 60.0


def producer_factory(settings: Settings, topic: Topic) -> Callable[[], Producer]:
    """A function that makes new producers. It does not start the embedded broker again.

    It raises StreamFailed where librdkafka does not accept the settings, and TopicDiffers.
    Raises BrokerStartFailed.
    """
    config = {**client_config(settings), **_options(topic), "error_cb": _Outages().note}

    def new_producer() -> Producer:
        if settings.kafka.bootstrap_servers:
            ensure_topic(settings, topic)  # which could not be done while that broker was away
        try:
            return Producer(config)
        except KafkaException as error:
            raise StreamFailed(stream=topic.name, problem=error.args[0].str()) from None

    return new_producer


def ensure_topic(settings: Settings, topic: Topic) -> None:
    """Create or check it; one whose broker is away is left for later.

    Raises TopicDiffers, BrokerStartFailed.
    """
    try:
        ensure_topics(settings, [topic])
    except BrokerUnreachable as error:
        log.warning("broker_away", problem=str(error))


def _options(topic: Topic) -> dict[str, Any]:
    return {
        "enable.idempotence": True,
        "acks": "all",
        "compression.type": topic.compression,
        "partitioner": "murmur2_random",  # the JVM's, so that a key is where others put it
        "linger.ms": 20,
        "batch.size": 1_000_000,
        "batch.num.messages": 50_000,
        # More than a part of the journal has messages.
        "queue.buffering.max.messages": 100_000,
        "queue.buffering.max.kbytes": 64 * 1024,
        "message.timeout.ms": 0,  # the broker may be away for hours
        "reconnect.backoff.max.ms": 2000,
        "delivery.report.only.error": True,
        "log_level": 0,
    }


class _Outages:
    """Says that no broker can be reached once in a while, not every two seconds for hours."""

    def __init__(self) -> None:
        self._noted_at = -SECONDS_BETWEEN_NOTES

    def note(self, error: KafkaError) -> None:
        is_outage = error.code() == KafkaError._ALL_BROKERS_DOWN or error.fatal()
        if is_outage and time.monotonic() >= self._noted_at + SECONDS_BETWEEN_NOTES:
            self._noted_at = time.monotonic()
            log.warning("broker_away", problem=error.str())
