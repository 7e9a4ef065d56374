"""The sides of a comparison: the lakehouse on an engine, and commands that do without it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.watch import Watch
from lakehouse import services
from lakehouse.cli.forking.wire import NAME as FORKS
from lakehouse.cli.forking.wire import is_listening
from lakehouse.engine import engine_service
from lakehouse.places import PROJECT
from lakehouse.settings import Settings, load_settings

COMMAND = str(Path(sys.executable).with_name("lakehouse"))
TABLES = ("bronze", "silver", "gold")
REMEMBERING = (*TABLES, "ops", "data_docs", "landing", "staging", "dlq")
ENGINES = ("sail", "spark")
LONGEST_IMPORT = 60  # seconds


class Failed(Exception):
    """A side did not finish; the message says why."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that ended well: the seconds from its start to its end, and what it printed.

    `watch` saw the command, its children, the engine and the fork server.
    """

    began: float
    seconds: float
    output: str
    watch: Watch

    @property
    def last_json(self) -> Any:
        return json.loads(self.output.strip().splitlines()[-1])


def run(
    command: Sequence[str], variables: Mapping[str, str] | None = None, lake: Path | None = None
) -> Ran:
    """Run the command to its end; `lake` is the one whose engine works for it. Raises Failed."""
    began, clock = time.time(), time.perf_counter()
    process = subprocess.Popen(
        command,
        env={**os.environ, **(variables or {})},
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )

    def roots() -> list[int]:
        found = [services.find(lake, name) for name in ("engine", FORKS)] if lake else []
        return [process.pid, *(service.pid for service in found if service)]

    try:
        with Watch(roots) as watch:
            output, errors = process.communicate()
            seconds = time.perf_counter() - clock
    finally:
        process.kill()  # it has ended, unless this process is told to
    if watch.is_out_of_memory:
        raise Failed(f"memory ran out after {seconds:.0f} s, at {watch.memory_mb:,.0f} MiB")
    if process.returncode:
        told = " ".join((errors.strip() or output.strip() or "nothing was said").split())
        raise Failed(f"exit {process.returncode} after {seconds:.0f} s: … {told[-400:]}")
    return Ran(began, seconds, output, watch)


@dataclass
class Lake:
    """A lake on an engine of its own."""

    root: Path
    engine: str
    variables: dict[str, str] = field(default_factory=dict)

    @cached_property
    def settings(self) -> Settings:
        return load_settings().model_copy(update={"root": self.root, "engine": self.engine})

    def __call__(self, *arguments: str) -> Ran:
        """`lakehouse` with these arguments, as who is in no hurry meets it. Raises Failed."""
        self._await_fork_server()
        named = {"LAKEHOUSE__ROOT": str(self.root), "LAKEHOUSE__ENGINE": self.engine}
        return run([COMMAND, *arguments], {**self.variables, **named}, self.root)

    def _await_fork_server(self) -> None:
        """A command that finds it still importing would run beside that, and without it."""
        deadline = time.monotonic() + LONGEST_IMPORT
        while services.find(self.root, FORKS) and time.monotonic() < deadline:
            if is_listening(self.root):
                return
            time.sleep(0.1)

    def land(self, pattern: Path, expected: int | None = None, *flags: str) -> Ran:
        """Take files to gold. Raises Failed, also where not `expected` candles were new."""
        return self.backfill(expected, "--files", str(pattern), *flags)

    def backfill(self, expected: int | None, *flags: str) -> Ran:
        """`lakehouse backfill`. Raises Failed, also where not `expected` candles were new."""
        ran = self("backfill", *flags, "--json")
        (result,) = json.loads(ran.output)
        if expected not in (None, result["rows_new"]):
            raise Failed(f"{result['rows_new']:,} candles landed, not {expected:,}")
        return ran

    def fetch(self, start: datetime, length: timedelta, expected: int) -> Ran:
        """Two assets from the simulated exchange to gold. Raises Failed."""
        days = ("--from", f"{start:%Y-%m-%d}", "--to", f"{start + length:%Y-%m-%d}")
        return self.backfill(expected, "--assets", "BTCUSD,ETHUSD", *days)

    def outcomes(self, since: float = 0) -> pl.DataFrame:
        """Of the steps that began after that time: step, subject, start, end (seconds), rows_in."""
        found = pl.read_delta(str(self.root / "ops" / "outcomes")).with_columns(
            start=pl.col("started_at").dt.epoch("us") / 1e6
        )
        end = pl.col("start") + pl.col("duration_seconds")
        return found.filter(pl.col("start") > since).with_columns(end=end).sort("start")

    def empty(self) -> None:
        """Forget the tables and what is known of them; the engine keeps running."""
        for layer in REMEMBERING:
            shutil.rmtree(self.root / layer, ignore_errors=True)

    def start(self) -> str:
        """The engine's address; it is started if need be."""
        return f"sc://127.0.0.1:{engine_service(self.settings).ensure().port}"

    def down(self) -> None:
        services.stop_all(self.root)


def mebibytes(folder: Path) -> float:
    """On disk, of the tables of a lake or of a peer, old versions and logs included."""
    files = (file for layer in TABLES for file in (folder / layer).rglob("*") if file.is_file())
    return sum(file.stat().st_size for file in files) / 2**20


def last_commit(folder: Path) -> float:
    """When the newest commit of the folder's Delta tables was made, seconds since 1970."""
    return max(file.stat().st_mtime for file in folder.rglob("_delta_log/*.json"))


def ratios(values: Sequence[float], base: Sequence[float]) -> list[float]:
    """Round by round, where both have a figure."""
    return [value / other for value, other in zip(values, base, strict=False)]
