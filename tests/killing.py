"""Killing as the kernel does it when memory ends: no warning, no farewell."""

from __future__ import annotations

import time

import psutil

from lakehouse.services import Running

PATIENCE_SECONDS = 30


def kill(running: Running) -> None:
    """Kill the service's process, and wait until it is dead: the signal only begins that."""
    process = psutil.Process(running.pid)
    process.kill()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while _lives(process):
        assert time.monotonic() < deadline, f"{running.name} outlives its kill"
        time.sleep(0.02)


def _lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
