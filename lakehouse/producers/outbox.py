"""The outbox: hands messages to Kafka until the broker has all of them, however long that takes."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from lakehouse.producers.lines import (
    AFTER_SYMBOL,
    BEFORE_SYMBOL,
    MESSAGE,
    REJECTED,
    TIME,
    Keys,
    occurrence_of,
)

log = structlog.get_logger(__name__)

RETRY_SECONDS = 1.0
LOOK_SECONDS = 0.5
HEADER = "occurrence"


class Outbox:
    """One topic, and a producer that is replaced when it fails."""

    def __init__(self, topic: str, new_producer: Callable[[], Producer]) -> None:
        self._topic = topic
        self._new_producer = new_producer
        self._producer: Producer | None = None
        self._keys = Keys()
        self._errors: list[KafkaError] = []

    def deliver(self, lines: bytes, is_late: Callable[[], bool]) -> int | None:
        """How many messages of those lines the broker now has; None if it grew late before."""
        while not is_late():
            count = self._hand_over(lines)
            if not self._flush(is_late):
                return None
            if not self._errors:
                return count
            self._give_up_producer()
        return None

    def close(self) -> None:
        """Forget what is still on its way: it stays in the journal."""
        if self._producer and (left := self._producer.flush(0)):
            log.warning("left_in_journal", messages=left)
            self._producer.purge()

    def _hand_over(self, lines: bytes) -> int:
        if self._producer is None:
            self._producer = self._new_producer()
        # A part of the journal fits into librdkafka's queue: there is no BufferError.
        topic, keys, report = self._topic, self._keys, self._report
        produce, count = self._producer.produce, 0
        try:
            for line in lines[:-1].split(b"\n"):
                if line[0] == MESSAGE:
                    key = keys[line[BEFORE_SYMBOL : line.index(AFTER_SYMBOL)]]
                    produce(topic, line, key, on_delivery=report)
                elif line[0] in (TIME, REJECTED):
                    continue
                else:
                    number, message = occurrence_of(line)
                    key = keys[message[BEFORE_SYMBOL : message.index(AFTER_SYMBOL)]]
                    produce(topic, message, key, on_delivery=report, headers=[(HEADER, number)])
                count += 1
        except KafkaException as error:
            self._errors.append(error.args[0])
        return count

    def _report(self, error: KafkaError | None, _message: Message) -> None:
        # Called for failures only: see delivery.report.only.error.
        if error is not None:
            self._errors.append(error)

    def _flush(self, is_late: Callable[[], bool]) -> bool:
        """Wait until nothing is on its way any more; False if it is time to give up."""
        while self._producer and self._producer.flush(LOOK_SECONDS):
            if is_late():
                return False
        return True

    def _give_up_producer(self) -> None:
        """It may have lost its right to go on: idempotence allows no gap."""
        log.warning("sending_again", errors=len(self._errors), first=self._errors[0].str())
        self._errors.clear()
        self._producer = None
        time.sleep(RETRY_SECONDS)
