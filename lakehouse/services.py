"""Background processes of a lake: started on demand, shared, found again, ended by process id.

What is known of a service is one JSON file under `<lake>/.services`, so that two lakes run side by
side and any later command finds what an earlier one started.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from filelock import FileLock

from lakehouse.errors import EngineStartFailed

START_SECONDS = 120
STOP_SECONDS = 20
# A service outlives the command that starts it; dropping its handle would warn about that.
_STARTED: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True, slots=True)
class Running:
    """A service that lives. `created` tells its process from a later one with the same pid."""

    name: str
    kind: str
    pid: int
    created: float
    port: int

    @property
    def memory_bytes(self) -> int:
        return int(psutil.Process(self.pid).memory_info().rss)


@dataclass(frozen=True, slots=True)
class Service:
    """How to start a service: `command(port)` gives its argument list."""

    name: str
    kind: str
    lake: Path
    command: Callable[[int], list[str]]
    environment: dict[str, str]

    @property
    def log(self) -> Path:
        return _folder(self.lake) / f"{self.name}.log"

    def ensure(self) -> Running:
        """The running service, started if need be. Raises EngineStartFailed."""
        folder = _folder(self.lake)
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{self.name}.lock"):
            running = find(self.lake, self.name)
            if running and running.kind == self.kind:
                return running
            stop(self.lake, self.name)
            return self._start()

    def _start(self) -> Running:
        port = _free_port()
        with self.log.open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - the command is ours
                self.command(port),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, **self.environment},
            )
        running = Running(
            self.name, self.kind, process.pid, psutil.Process(process.pid).create_time(), port
        )
        _state_file(self.lake, self.name).write_text(json.dumps(asdict(running)))
        _STARTED[process.pid] = process
        self._wait_until_it_listens(process, port)
        return running

    def _wait_until_it_listens(self, process: subprocess.Popen[bytes], port: int) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not _listens(port):
            if process.poll() is not None:
                raise self._failure(f"it ended with exit code {process.returncode}")
            if time.monotonic() > deadline:
                stop(self.lake, self.name)
                raise self._failure(f"it did not listen within {START_SECONDS} s")
            time.sleep(0.05)

    def _failure(self, problem: str) -> EngineStartFailed:
        return EngineStartFailed(engine=self.name, problem=problem, log=self.log)


def find(lake: Path, name: str) -> Running | None:
    """The service of that name if its process still lives."""
    try:
        running = Running(**json.loads(_state_file(lake, name).read_text()))
        alive = psutil.Process(running.pid)
    except (OSError, ValueError, TypeError, psutil.NoSuchProcess):
        return None
    is_same = abs(alive.create_time() - running.created) < 1
    return running if is_same and alive.status() != psutil.STATUS_ZOMBIE else None


def running_services(lake: Path) -> list[Running]:
    names = sorted(file.stem for file in _folder(lake).glob("*.json"))
    return [running for name in names if (running := find(lake, name))]


def stop(lake: Path, name: str) -> bool:
    """End the service and its children; False if it was not running."""
    running = find(lake, name)
    if running:
        _end(psutil.Process(running.pid))
        if own := _STARTED.pop(running.pid, None):
            own.wait()
    _state_file(lake, name).unlink(missing_ok=True)
    return running is not None


def _end(process: psutil.Process) -> None:
    family = [process, *process.children(recursive=True)]
    for member in family:
        _send(member, signal.SIGTERM)
    _, alive = psutil.wait_procs(family, timeout=STOP_SECONDS)
    for member in alive:
        _send(member, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=STOP_SECONDS)


def _send(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


def _folder(lake: Path) -> Path:
    return lake / ".services"


def _state_file(lake: Path, name: str) -> Path:
    return _folder(lake) / f"{name}.json"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0
