"""The lines of the journal, told apart by their first byte.

@1763728800123456            what follows was received then (microseconds since 1970)
{"symbol":"A","price":…}     a message, as it goes to Kafka; symbol and price come first
2{"symbol":"A","price":…}    a message with occurrence 2
!{"reason":…}                the record of something rejected, for its dead letter
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

MESSAGE = ord("{")
TIME = ord("@")
REJECTED = ord("!")
BEFORE_SYMBOL = len(b'{"symbol":')
AFTER_SYMBOL = b',"price":'


def time_line(received_us: int) -> bytes:
    return b"@%d\n" % received_us


def rejected_lines(records: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(b"!" + orjson.dumps(record) + b"\n" for record in records)


def first_time(data: bytes) -> float | None:
    """When the first of the lines was received, in seconds; None if they begin in the middle."""
    return int(data[1 : data.index(b"\n")]) / 1e6 if data[0] == TIME else None


def last_time(data: bytes) -> float | None:
    """When the last of the lines was received, in seconds, if they say so."""
    at = data.rfind(b"\n@") + 1
    return first_time(data[at:])


def rejected_in(data: bytes) -> Iterable[tuple[int, bytes]]:
    """The offset and the record of each rejected line."""
    if b"!{" not in data:
        return
    offset = 0
    for line in data.splitlines(keepends=True):
        if line[0] == REJECTED:
            yield offset, line[1:-1]
        offset += len(line)


def occurrence_of(line: bytes) -> tuple[bytes, bytes]:
    """The digits before a message, and the message."""
    start = line.index(b"{")
    return line[:start], line[start:]


class Keys(dict[bytes, bytes]):
    """Kafka keys by the JSON text of the symbol. Bounded, for a feed may invent symbols."""

    def __missing__(self, symbol: bytes) -> bytes:
        if len(self) > 100_000:
            self.clear()
        key = self[symbol] = str(orjson.loads(symbol)).encode()
        return key
