"""The command line in processes forked from one that has imported all of it: they begin at once.

For tests that start it dozens of times: what they kill is then never just importing.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.e2e.lakes import HANGS_AFTER, Lake, Ran

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["orchestration.preload"])


@dataclass(frozen=True, slots=True)
class Forked:
    """A command that runs; what it says goes to files."""

    process: BaseProcess
    out: Path
    err: Path

    def has_ended(self, seconds: float) -> bool:
        """Wait for it, but no longer than that."""
        self.process.join(seconds)
        return not self.process.is_alive()

    def ended(self) -> Ran:
        """Wait for it; one that hangs is killed and fails the test."""
        if not self.has_ended(HANGS_AFTER):
            self.process.kill()
            raise TimeoutError(self.err.read_text())
        return Ran(self.process.exitcode or 0, self.out.read_text(), self.err.read_text())


def fork(lake: Lake, *arguments: str) -> Forked:
    """Start the command line on a lake."""
    out, err = (lake.root.with_name(f"{lake.root.name}.{name}") for name in ("out", "err"))
    for file in (out, err):
        file.write_text("")
    process = FORKS.Process(target=_run, args=(arguments, lake.environment, out, err))
    process.start()
    return Forked(process, out, err)


def _run(arguments: tuple[str, ...], environment: Mapping[str, str], out: Path, err: Path) -> None:
    from lakehouse.cli import main

    os.environ.clear()
    os.environ.update(environment)
    for stream, file in ((sys.stdout, out), (sys.stderr, err)):
        with file.open("a") as opened:
            os.dup2(opened.fileno(), stream.fileno())
    main(arguments)
