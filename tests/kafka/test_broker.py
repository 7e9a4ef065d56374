"""The embedded broker: killed and started again, it has its port and its messages."""

from __future__ import annotations

from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition

from lakehouse import services
from lakehouse.kafka import client_config, ensure_broker, ensure_topics
from tests.conftest import settings_for
from tests.killing import kill


def test_a_killed_broker_comes_back_at_its_port_with_its_messages(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    settings = settings.model_copy(update={"kafka": settings.kafka.model_copy(update={"port": 0})})
    topic = settings.kafka.trades
    try:
        before = ensure_broker(settings)
        ensure_topics(settings, [topic])
        producer = Producer({**client_config(settings), "acks": "all"})
        producer.produce(topic.name, b"kept", partition=0)
        assert producer.flush(10) == 0
        kill(before)
        after = ensure_broker(settings)
        assert (after.port, after.pid == before.pid) == (before.port, False)
        consumer = Consumer({**client_config(settings), "group.id": "test"})
        consumer.assign([TopicPartition(topic.name, 0, 0)])
        message = consumer.poll(30)
        assert message is not None
        assert message.value() == b"kept"
        consumer.close()
    finally:
        services.stop_all(settings.lake)
