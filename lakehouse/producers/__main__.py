"""`python -m lakehouse.producers trades --metrics-port 8000`: a producer as a process of its own.

It ends with 0 after SIGTERM or SIGINT, with 1 and a line that says why after an error.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys

import structlog

from lakehouse.errors import LakehouseError
from lakehouse.producers.running import TABLES, run_producer
from lakehouse.settings import load_settings


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m lakehouse.producers", description=__doc__)
    parser.add_argument("stream", choices=list(TABLES))
    parser.add_argument("--metrics-port", type=int, required=True, help="on loopback")
    arguments = parser.parse_args(argv)
    _configure_logging()
    for number in (signal.SIGTERM, signal.SIGINT):
        # For the time before the event loop has its own way of being told.
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        run_producer(load_settings(), arguments.stream, arguments.metrics_port)
    except LakehouseError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _configure_logging() -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.LogfmtRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


if __name__ == "__main__":
    sys.exit(main())
