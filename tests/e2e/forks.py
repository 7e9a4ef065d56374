"""The command line in processes forked from one that has imported all of it: they begin at once.

For tests that start it dozens of times: what they kill is then never just importing.
"""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from io import TextIOWrapper
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.e2e.lakes import Lake

HANGS_AFTER = 480
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.e2e.preload"])
_NUMBERS = itertools.count()


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


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


def fork(lake: Lake, *arguments: str, **extra: str) -> Forked:
    """Start the command line on a lake; `extra` are environment variables of this command."""
    said = lake.root.with_name(f"{lake.root.name}.{next(_NUMBERS)}.said")
    files = said.with_suffix(".out"), said.with_suffix(".err")
    return started(arguments, {**lake.environment, **extra}, *files)


def started(
    arguments: tuple[str, ...],
    environment: Mapping[str, str],
    out: Path,
    err: Path,
    folder: Path | None = None,
) -> Forked:
    """Start the command line, in that working folder; `out` and `err` may be the same file."""
    for file in (out, err):
        file.write_text("")
    process = FORKS.Process(target=_run, args=(arguments, environment, out, err, folder))
    process.start()
    return Forked(process, out, err)


def _run(
    arguments: tuple[str, ...],
    environment: Mapping[str, str],
    out: Path,
    err: Path,
    folder: Path | None,
) -> None:
    from lakehouse.cli import main

    os.environ.clear()
    os.environ.update(environment)
    if folder:
        os.chdir(folder)
    for stream, file in ((sys.stdout, out), (sys.stderr, err)):
        with file.open("a") as opened:
            os.dup2(opened.fileno(), stream.fileno())
        if isinstance(stream, TextIOWrapper):
            # Where both are one file, it has their lines in the order in which they were said.
            stream.reconfigure(line_buffering=True)
    main(arguments)
