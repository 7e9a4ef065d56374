"""Running a stream: its query is started, watched, and started again whatever happens to it."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType

import grpc
import structlog
from pyspark.errors import PySparkException
from pyspark.sql.streaming.query import StreamingQuery

from lakehouse import services
from lakehouse.engine import is_lost, stream_session
from lakehouse.errors import LakehouseError, StreamFailed, UsageError
from lakehouse.kafka import BROKER, bootstrap_servers
from lakehouse.settings import Settings
from lakehouse.streams.owner import Owner
from lakehouse.streams.query import start_query
from lakehouse.streams.stream import Stream
from lakehouse.streams.upkeep import Upkeep

log = structlog.get_logger(__name__)

LOOK_SECONDS = 0.5
# A query that ran so long was well: what ends it now is a new trouble.
WELL_SECONDS = 60
ATTEMPTS = 10
LONGEST_WAIT_SECONDS = 30


class Run:
    """A stream that runs in this process until `stop`. `is_started` is set with its first query."""

    def __init__(self, settings: Settings, stream: Stream) -> None:
        self.settings = settings
        self.stream = stream
        self.is_started = threading.Event()
        self.owner = Owner(settings, stream)
        self._ending = threading.Event()

    def stop(self, signal_number: int = 0, frame: FrameType | None = None) -> None:
        """End after the micro-batch that is under way."""
        self._ending.set()

    def stop_on_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.stop)

    def forever(self) -> None:
        """Run until `stop`, or until another run or `stop_stream` takes the stream away.

        Raises UsageError, and StreamFailed where it fails again and again.
        """
        upkeep = Upkeep(self.settings, self.stream)
        upkeep.start()
        self.owner.claim()
        failures = 0
        try:
            while self.owner.touch() and not self._ending.is_set():
                since = time.monotonic()
                try:
                    self._once()
                except UsageError:
                    raise
                except (LakehouseError, PySparkException, grpc.RpcError) as error:
                    was_well = time.monotonic() - since > WELL_SECONDS
                    failures = 1 if was_well else failures + 1
                    self._wait_after(error, failures)
        finally:
            upkeep.stop()
        log.info("stream_ended", stream=self.stream.name, was_stopped=self._ending.is_set())

    def _once(self) -> None:
        """One query, until it fails or the run ends."""
        session = stream_session(self.settings)
        query = start_query(session, self.settings, self.stream, self.owner)
        log.info("stream_started", stream=self.stream.name)
        self.is_started.set()
        while not self._ending.wait(LOOK_SECONDS):
            if not query.isActive:
                raise StreamFailed(stream=self.stream.name, problem=problem_of(query))
            if not self.owner.touch():
                break
            self._revive_broker()
        _let_finish(query)

    def _revive_broker(self) -> None:
        is_embedded = self.settings.kafka.bootstrap_servers is None
        if is_embedded and services.find(self.settings.lake, BROKER) is None:
            bootstrap_servers(self.settings)

    def _wait_after(self, error: Exception, failures: int) -> None:
        problem = "the engine is gone" if is_lost(error) else _first_line(error)
        log.warning("stream_failed", stream=self.stream.name, problem=problem, failures=failures)
        if failures >= ATTEMPTS:
            raise StreamFailed(stream=self.stream.name, problem=problem) from None
        self._ending.wait(min(LONGEST_WAIT_SECONDS, 0.5 * 2**failures))


def _let_finish(query: StreamingQuery) -> None:
    while query.isActive and query.status["isTriggerActive"]:
        time.sleep(0.1)
    query.stop()


def problem_of(query: StreamingQuery) -> str:
    """Why a query ended, in a line."""
    error = query.exception()
    if error is None:
        return "it ended by itself"
    # What a micro-batch raised follows the indented lines of its traceback.
    trace = str(error).partition("Traceback (most recent call last):")[2]
    lines = (line for line in trace.splitlines() if line.strip() and not line[0].isspace())
    return next(lines, None) or _first_line(error)


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
