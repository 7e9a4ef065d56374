"""Topics: created as the settings say, compared with them ever after, altered by nobody here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ConfigResource,
    NewTopic,
    ResourceType,
    TopicMetadata,
)
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from lakehouse.errors import BrokerUnreachable, TopicDiffers
from lakehouse.kafka.connection import client_config
from lakehouse.settings import Settings, Topic

SECONDS = 10
COPIES = {"embedded": (1, 1), "production": (3, 2)}


def ensure_topics(settings: Settings, topics: Sequence[Topic]) -> None:
    """Create the topics that are missing and check the others.

    Raises TopicDiffers where one is not as configured, BrokerUnreachable, BrokerStartFailed.
    """
    config = client_config(settings)
    client = AdminClient({**config, "log_level": "0"})
    try:
        present = client.list_topics(timeout=SECONDS).topics
        _create(client, settings, [topic for topic in topics if topic.name not in present])
        for topic, found in _described(client, topics):
            _check(client, settings, topic, found)
    except KafkaException as error:
        raise _unreachable(config, error) from None


def offset_bounds(config: Mapping[str, str], topic: Topic) -> dict[int, tuple[int, int]]:
    """By partition, the offset of its first message and the one after its last.

    Raises BrokerUnreachable.
    """
    # A consumer must have a group, and this one reads nothing.
    consumer = Consumer({**config, "group.id": "lakehouse", "log_level": 0})
    try:
        numbers = range(topic.partitions)
        places = {number: TopicPartition(topic.name, number) for number in numbers}
        return {
            number: consumer.get_watermark_offsets(place, timeout=SECONDS)
            for number, place in places.items()
        }
    except KafkaException as error:
        raise _unreachable(config, error) from None
    finally:
        consumer.close()


def _unreachable(config: Mapping[str, str], error: KafkaException) -> BrokerUnreachable:
    problem = error.args[0].str() if error.args else str(error)
    return BrokerUnreachable(servers=config["bootstrap.servers"], problem=problem)


def _wanted(settings: Settings, topic: Topic) -> dict[str, str]:
    return {
        "compression.type": "uncompressed" if topic.compression == "none" else topic.compression,
        "retention.ms": str(int(topic.retention_hours * 3_600_000)),
        "min.insync.replicas": str(COPIES[settings.kafka.profile][1]),
    }


def _create(client: AdminClient, settings: Settings, topics: Iterable[Topic]) -> None:
    replication = COPIES[settings.kafka.profile][0]
    new = [
        NewTopic(topic.name, topic.partitions, replication, config=_wanted(settings, topic))
        for topic in topics
    ]
    for future in client.create_topics(new, request_timeout=SECONDS).values() if new else ():
        try:
            future.result()
        except KafkaException as error:
            # Another was faster, or the list was a moment old.
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise


def _described(
    client: AdminClient, topics: Sequence[Topic]
) -> Iterator[tuple[Topic, TopicMetadata]]:
    """The topics as they are; one just made is listed a moment later."""
    for attempt in Retrying(
        retry=retry_if_exception_type(KeyError),
        stop=stop_after_delay(SECONDS),
        wait=wait_fixed(0.1),
        reraise=True,
    ):
        with attempt:
            present = client.list_topics(timeout=SECONDS).topics
            found = [(topic, present[topic.name]) for topic in topics]
    yield from found


def _check(client: AdminClient, settings: Settings, topic: Topic, found: TopicMetadata) -> None:
    resource = ConfigResource(ResourceType.TOPIC, topic.name)
    (future,) = client.describe_configs([resource], request_timeout=SECONDS).values()
    config = {name: entry.value for name, entry in future.result().items()}
    copies = {len(partition.replicas) for partition in found.partitions.values()}
    is_now = {**config, "partitions": str(len(found.partitions)), "replication": _only(copies)}
    wanted = {
        **_wanted(settings, topic),
        "partitions": str(topic.partitions),
        "replication": str(COPIES[settings.kafka.profile][0]),
    }
    if differing := _differing(wanted, is_now):
        raise TopicDiffers(topic=topic.name, differences=differing)


def _only(values: set[int]) -> str:
    return ", ".join(map(str, sorted(values)))


def _differing(wanted: Mapping[str, str], is_now: Mapping[str, str]) -> str:
    return "; ".join(
        f"{name} is {is_now.get(name)}, not {value}"
        for name, value in wanted.items()
        if is_now.get(name) != value
    )
