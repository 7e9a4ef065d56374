"""Land a stream from Kafka: trades or prices, micro-batch by micro-batch, until it is stopped.

Under spark-submit the stream runs in the foreground. An orchestrator asks instead whether one that
runs in the background is alive, and has it started again.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from typing import Literal

from lakehouse import services
from lakehouse.cli import main as command_line
from lakehouse.settings import Settings
from lakehouse.streams.service import ensure_stream, is_alive
from lakehouse.streams.status import job_name, producer_name
from lakehouse.streams.stream import stream_named

log = logging.getLogger(__name__)

Finding = Literal["alive", "restarted"]


def watch(settings: Settings, name: str) -> Finding:
    """Have the stream's producer and job run in the background.

    Raises UnknownStream, StreamStartFailed, BrokerStartFailed, BrokerUnreachable, TopicDiffers.
    """
    stream = stream_named(name)
    if is_alive(settings, stream):
        log.info("Stream %s: its producer and its job are alive.", name)
        return "alive"
    parts = (producer_name(stream), job_name(stream))
    dead = [part for part in parts if services.find(settings.lake, part) is None]
    log.warning("Stream %s: %s did not run.", name, " and ".join(dead))
    ensure_stream(settings, stream)
    log.warning("Stream %s: it was started again.", name)
    return "restarted"


def main(argv: Sequence[str]) -> None:
    """`argv` names the stream. Exit code 0: it was stopped; 1: it failed; 2: wrong usage."""
    command_line(["stream", "start", *argv, "--foreground", "--no-producer"])


if __name__ == "__main__":
    main(sys.argv[1:])
