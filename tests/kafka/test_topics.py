"""Topics on a real broker: made as configured, compared ever after."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from lakehouse.errors import BrokerUnreachable, TopicDiffers
from lakehouse.kafka import client_config, ensure_topics, offset_bounds, spark_options
from lakehouse.settings import KafkaOptions, Settings, Topic
from tests.conftest import settings_for


@pytest.fixture
def settings(servers: str, tmp_path: Path) -> Settings:
    return with_kafka(settings_for(tmp_path), bootstrap_servers=servers)


def with_kafka(settings: Settings, **changes: Any) -> Settings:
    return settings.model_copy(update={"kafka": settings.kafka.model_copy(update=changes)})


def new_topic(**changes: Any) -> Topic:
    return Topic(name=f"topic-{uuid.uuid4().hex[:8]}", **changes)


def test_a_topic_is_made_as_configured_and_found_again(settings: Settings) -> None:
    topic = new_topic(partitions=3, retention_hours=24, compression="zstd")
    ensure_topics(settings, [topic])
    ensure_topics(settings, [topic])
    client = AdminClient(client_config(settings))
    (found,) = client.describe_configs([ConfigResource(ResourceType.TOPIC, topic.name)]).values()
    config = {name: entry.value for name, entry in found.result().items()}
    assert config["retention.ms"] == "86400000"
    assert config["compression.type"] == "zstd"
    assert config["min.insync.replicas"] == "1"
    assert offset_bounds(client_config(settings), topic) == dict.fromkeys(range(3), (0, 0))


def test_a_topic_that_differs_is_named_and_not_altered(settings: Settings) -> None:
    topic = new_topic(partitions=2)
    ensure_topics(settings, [topic])
    wanted = topic.model_copy(update={"partitions": 4, "retention_hours": 1.0})
    for _ in range(2):
        with pytest.raises(TopicDiffers) as caught:
            ensure_topics(settings, [wanted])
    assert (
        caught.value.differences == "retention.ms is 604800000, not 3600000; partitions is 2, not 4"
    )


def test_production_wants_copies_that_one_broker_cannot_give(settings: Settings) -> None:
    with pytest.raises(BrokerUnreachable, match="replication factor"):
        ensure_topics(with_kafka(settings, profile="production"), [new_topic()])


def test_a_broker_that_is_not_there_is_named(settings: Settings) -> None:
    nowhere = with_kafka(settings, bootstrap_servers="127.0.0.1:1")
    with pytest.raises(BrokerUnreachable, match=r"127\.0\.0\.1:1"):
        ensure_topics(nowhere, [new_topic()])


def test_security_settings_reach_every_client_in_its_own_words(tmp_path: Path) -> None:
    kafka = KafkaOptions.model_validate(
        {
            "bootstrap_servers": "broker:9093",
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_username": "lake",
            "sasl_password": 'hush"1',
            "ssl_ca_location": tmp_path / "ca.pem",
        }
    )
    settings = settings_for(tmp_path).model_copy(update={"kafka": kafka})
    config = client_config(settings)
    assert config["security.protocol"] == "SASL_SSL"
    assert config["sasl.password"] == 'hush"1'
    options = spark_options(settings)
    assert options["kafka.ssl.truststore.location"] == str(tmp_path / "ca.pem")
    assert options["kafka.sasl.jaas.config"] == (
        "org.apache.kafka.common.security.scram.ScramLoginModule required "
        'username="lake" password="hush\\"1";'
    )
    assert "hush" not in repr(settings)
