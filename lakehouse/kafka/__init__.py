"""Kafka: the embedded broker, the topics, and how clients reach either."""

from lakehouse.kafka.broker import NAME as BROKER
from lakehouse.kafka.broker import broker_service, ensure_broker
from lakehouse.kafka.connection import (
    bootstrap_servers,
    client_config,
    known_servers,
    security,
    spark_options,
)
from lakehouse.kafka.topics import ensure_topics, offset_bounds

__all__ = [
    "BROKER",
    "bootstrap_servers",
    "broker_service",
    "client_config",
    "ensure_broker",
    "ensure_topics",
    "known_servers",
    "offset_bounds",
    "security",
    "spark_options",
]
