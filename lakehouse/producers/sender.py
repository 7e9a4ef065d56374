"""The sender: what the journal holds goes to Kafka and to the dead letters, then is confirmed.

It hands over a part of the journal, waits until the broker has all of it, and only then reads on.
While it waits the journal grows, so the next part is larger the more there is to do.
"""

from __future__ import annotations

import time

from lakehouse.producers.journal import Journal, Position
from lakehouse.producers.letters import Letters
from lakehouse.producers.lines import first_time, last_time, rejected_in
from lakehouse.producers.metrics import Metrics
from lakehouse.producers.outbox import Outbox

PART_BYTES = 2 * 1024 * 1024
GATHER_SECONDS = 0.02  # Kafka's linger, for the journal: small parts make the broker work more
CONFIRM_SECONDS = 0.5
LETTER_SECONDS = 0.5  # by then what was received is in the journal
FLUSH_SECONDS = 10.0


class Sender:
    """Runs in a thread of its own until it is told to stop."""

    def __init__(
        self, journal: Journal, outbox: Outbox, letters: Letters, metrics: Metrics
    ) -> None:
        self._journal = journal
        self._outbox = outbox
        self._letters = letters
        self._metrics = metrics
        self._received = time.time()
        self._give_up_at: float | None = None

    def stop(self) -> None:
        """Send what is in the journal, for so long as FLUSH_SECONDS, and end."""
        self._give_up_at = time.monotonic() + FLUSH_SECONDS

    def run(self) -> None:
        """Raises DeadLetterError, and StreamFailed where the position cannot be written."""
        position = self._journal.confirmed
        confirmed_at = time.monotonic()
        while not self._is_late():
            is_ending = self._give_up_at is not None  # if so, this is the last that can be read
            data, start, end = self._journal.read(position, PART_BYTES)
            if not self._settle(data, start) or (is_ending and not data):
                break
            position = end
            if time.monotonic() >= confirmed_at + CONFIRM_SECONDS:
                self._confirm(position)
                confirmed_at = time.monotonic()
            if not is_ending:
                self._gather(data)
        self._letters.write_all()
        self._confirm(position)
        self._outbox.close()

    def _settle(self, data: bytes, start: Position) -> bool:
        """Deal with a part of the journal; False if it grew late before that was done."""
        if not data:
            self._letters.write(before=time.time() - LETTER_SECONDS)
            return True
        count = self._outbox.deliver(data, self._is_late)
        if count is None:
            return False
        self._received = first_time(data) or self._received
        self._metrics.produced.inc(count)
        self._metrics.latency.observe(max(0.0, time.time() - self._received))
        for offset, record in rejected_in(data):
            self._letters.add(Position(start.segment, start.offset + offset), record)
        if received := last_time(data):
            self._letters.write(before=received)
        return True

    def _gather(self, data: bytes) -> None:
        if not data:
            self._journal.wait(CONFIRM_SECONDS)
        if len(data) < PART_BYTES // 2:
            time.sleep(GATHER_SECONDS)

    def _confirm(self, position: Position) -> None:
        self._journal.confirm(min(position, self._letters.unwritten_from or position))

    def _is_late(self) -> bool:
        return self._give_up_at is not None and time.monotonic() > self._give_up_at
