"""`python -m lakehouse.streams trades --metrics-port P`: a stream as a process of its own."""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time

import structlog

from lakehouse.errors import LakehouseError
from lakehouse.settings import Settings, load_settings
from lakehouse.streams.metrics import serve_metrics
from lakehouse.streams.running import Run
from lakehouse.streams.stream import Stream, stream_named


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m lakehouse.streams", description=__doc__)
    parser.add_argument("stream")
    parser.add_argument("--metrics-port", type=int, default=None, help="default: no metrics")
    arguments = parser.parse_args(argv)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    # Spark's client hands out times in the local zone; the lakehouse speaks UTC.
    os.environ["TZ"] = "UTC"
    time.tzset()
    try:
        run_stream(load_settings(), stream_named(arguments.stream), arguments.metrics_port)
    except LakehouseError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def run_stream(settings: Settings, stream: Stream, metrics_port: int | None) -> None:
    """Run the stream until SIGTERM or Ctrl-C; metrics are served once it has begun."""
    run = Run(settings, stream)
    run.stop_on_signals()
    if metrics_port is not None:

        def serve_once_started() -> None:
            run.is_started.wait()
            serve_metrics(settings, stream, metrics_port)

        threading.Thread(target=serve_once_started, daemon=True).start()
    run.forever()


if __name__ == "__main__":
    sys.exit(main())
