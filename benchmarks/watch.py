"""What processes and their children take while they run: memory and processor time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from threading import Event, Thread

import psutil

EVERY_SECONDS = 0.2
SPARE_BYTES = 2**30
"""With less memory than this left, what is watched is ended: the machine has others on it."""


@dataclass(frozen=True, slots=True)
class Sample:
    """At a time (seconds since 1970): resident bytes of all processes, processor seconds so far."""

    at: float
    memory_bytes: int
    cpu_seconds: float


class Watch:
    """Samples the processes that `roots` names, each time anew, and all their children.

    Pages that processes share count for each. `is_out_of_memory` tells that it ended them.
    """

    def __init__(self, roots: Callable[[], Iterable[int]]) -> None:
        self.roots = roots
        self.samples: list[Sample] = []
        self.is_out_of_memory = False
        self._spent: dict[int, float] = {}
        self._begun: dict[int, float] = {}
        self._ended = Event()
        self._thread = Thread(target=self._run, daemon=True)

    def __enter__(self) -> Watch:
        self._sample()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def memory_mb(self) -> float:
        """The peak, in MiB."""
        return max((sample.memory_bytes for sample in self.samples), default=0) / 2**20

    def cpu_seconds(self, start: float = 0, end: float = float("inf")) -> float:
        """What they took between two times; to a sample's distance exact."""
        within = [s.cpu_seconds for s in self.samples if start - EVERY_SECONDS <= s.at <= end]
        return within[-1] - within[0] if within else 0.0

    def _run(self) -> None:
        while not self._ended.wait(EVERY_SECONDS):
            self._sample()
            if psutil.virtual_memory().available < SPARE_BYTES:
                self.is_out_of_memory = True
                for process in family(self.roots()):
                    with suppress(psutil.NoSuchProcess):
                        process.kill()

    def _sample(self) -> None:
        is_first, memory = not self.samples, 0
        for process in family(self.roots()):
            with suppress(psutil.NoSuchProcess), process.oneshot():
                memory += process.memory_info().rss
                times = process.cpu_times()
                self._spent[process.pid] = times.user + times.system
                # What ran before counts from here on, what is new counts whole.
                self._begun.setdefault(process.pid, self._spent[process.pid] if is_first else 0.0)
        spent = sum(self._spent.values()) - sum(self._begun.values())
        self.samples.append(Sample(time.time(), memory, spent))


def family(roots: Iterable[int]) -> Iterator[psutil.Process]:
    """The processes of these numbers and their children, each once."""
    known: set[int] = set()
    for root in roots:
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(root)
            for member in (process, *process.children(recursive=True)):
                if member.pid not in known:
                    known.add(member.pid)
                    yield member
