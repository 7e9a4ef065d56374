"""Upkeep beside a running stream: the small files of its micro-batches become few."""

from __future__ import annotations

import threading

import structlog
from deltalake.exceptions import DeltaError

from lakehouse import maintenance
from lakehouse.settings import Settings
from lakehouse.streams.stream import Stream

log = structlog.get_logger(__name__)


class Upkeep(threading.Thread):
    """Compacts the stream's bronze table and the record of its batches, now and then.

    Appending and compacting do not get in each other's way; should they, the next time will do.
    """

    def __init__(self, settings: Settings, stream: Stream) -> None:
        super().__init__(name=f"{stream.name}-upkeep", daemon=True)
        self.settings = settings
        self.stream = stream
        self._ending = threading.Event()

    def run(self) -> None:
        while not self._ending.wait(self.settings.streams.compact_every_minutes * 60):
            try:
                self.compact()
            except DeltaError as error:
                log.warning("compaction_failed", stream=self.stream.name, problem=str(error))

    def compact(self) -> int:
        """Compact now; by how many files the tables shrank."""
        tables = (self.stream.bronze_table, "ops.stream_batches")
        done = [maintenance.optimize(self.settings, table) for table in tables]
        return sum(int(d["numFilesRemoved"]) - int(d["numFilesAdded"]) for d in done)

    def stop(self) -> None:
        self._ending.set()
