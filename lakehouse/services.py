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
from concurrent.futures import ThreadPoolExecutor
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
    port: int | None

    @property
    def memory_bytes(self) -> int:
        return int(psutil.Process(self.pid).memory_info().rss)


@dataclass(frozen=True, slots=True)
class Service:
    """How to start a service: `command(port)` gives its argument list.

    `port` is the one that is taken if it is free; one that does not listen gets no port.
    """

    name: str
    kind: str
    lake: Path
    command: Callable[[int], list[str]]
    environment: dict[str, str]
    port: int = 0
    is_listening: bool = True

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
        port = free_port(self.port)
        with self.log.open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - the command is ours
                self.command(port),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, **self.environment},
            )
        created = psutil.Process(process.pid).create_time()
        known_port = port if self.is_listening else None
        running = Running(self.name, self.kind, process.pid, created, known_port)
        _state_file(self.lake, self.name).write_text(json.dumps(asdict(running)))
        _STARTED[process.pid] = process
        if self.is_listening:
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
    running = _noted(lake, name)
    return running if running and _is_alive(running) else None


def _noted(lake: Path, name: str) -> Running | None:
    try:
        return Running(**json.loads(_state_file(lake, name).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _is_alive(running: Running) -> bool:
    return _is_same(running) and psutil.Process(running.pid).status() != psutil.STATUS_ZOMBIE


def _is_same(running: Running) -> bool:
    """Whether the number is still that process's, and not a later one's."""
    try:
        return abs(psutil.Process(running.pid).create_time() - running.created) < 1
    except psutil.NoSuchProcess:
        return False


def running_services(lake: Path) -> list[Running]:
    return [running for name in _names(lake) if (running := find(lake, name))]


def _names(lake: Path) -> list[str]:
    return sorted(file.stem for file in _folder(lake).glob("*.json"))


def stop_all(lake: Path) -> list[Running]:
    """End every service of the lake, and what a killed one left; those that were running."""
    running = running_services(lake)
    with ThreadPoolExecutor() as pool:
        # Each takes its time to end what it has begun.
        list(pool.map(lambda name: stop(lake, name), _names(lake)))
    return running


def stop(lake: Path, name: str) -> bool:
    """End the service and all it started; False if it was not running."""
    noted = _noted(lake, name)
    is_running = noted is not None and _is_alive(noted)
    if noted:
        _end(family(noted))
        if own := _STARTED.pop(noted.pid, None):
            own.wait()
    _state_file(lake, name).unlink(missing_ok=True)
    return is_running


def family(service: Running) -> list[psutil.Process]:
    """The service's process, if it lives, and those of its session, which outlive it."""
    if psutil.pid_exists(service.pid) and not _is_same(service):
        return []
    return [
        process
        for process in psutil.process_iter()
        if _session_of(process) == service.pid or process.pid == service.pid
    ]


def _session_of(process: psutil.Process) -> int | None:
    try:
        return os.getsid(process.pid)
    except OSError:
        return None


def _end(processes: list[psutil.Process]) -> None:
    for member in processes:
        _send(member, signal.SIGTERM)
    _, alive = psutil.wait_procs(processes, timeout=STOP_SECONDS)
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


def free_port(wanted: int = 0) -> int:
    """That port of loopback if it is free, else any that is."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0
