"""Who takes Parquet files to gold in benchmarks.backfill: the lakehouse, and its peers."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from benchmarks.sides import Lake, Ran, last_commit, mebibytes, run

PEERS = {"polars": "polars_peer", "duckdb": "duckdb_peer"}


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one run. `seconds` from the start of the command, `inside` and `steps` as it says itself.

    Memory is the peak of the command and its engine together, in MiB; so is disk.
    """

    seconds: float
    inside: float
    memory_mb: float
    cpu_seconds: float
    disk_mb: float
    steps: dict[str, float]


class Contender(Protocol):
    title: str

    @property
    def tables(self) -> Path:
        """Where the tables of the last run are."""

    def ready(self, warm_up: Path) -> None:
        """Start and warm what stays between runs, unless it is warm."""

    def __call__(self, source: Path, candles: int) -> Figures:
        """From an empty place to gold. Raises Failed."""

    def clear(self) -> None:
        """Remove the tables."""

    def rest(self) -> None:
        """End what stays between runs."""


@dataclass
class Lakehouse:
    """`seconds` are the whole command's, `inside` those from its first recorded step to its last.

    Between runs the tables go and the engine stays.
    """

    title: str
    lake: Lake
    is_warm: bool = False

    @property
    def tables(self) -> Path:
        return self.lake.root

    def ready(self, warm_up: Path) -> None:
        if not self.is_warm:
            self.lake.land(warm_up / "*.parquet")
            self.lake.empty()
            self.is_warm = True

    def __call__(self, source: Path, candles: int) -> Figures:
        self.lake.empty()
        ran = self.lake.land(source / "*.parquet", candles)
        steps = list(self.lake.outcomes().iter_rows(named=True))
        first, last = steps[0]["start"], max(step["end"] for step in steps)
        known = {
            "before the first step": first - ran.began,
            **steps_of(steps),
            "after the last step": ran.began + ran.seconds - last,
        }
        return figures(ran, ran.seconds, last - first, self.tables, known)

    def clear(self) -> None:
        self.lake.empty()

    def rest(self) -> None:
        self.lake.down()
        self.is_warm = False


@dataclass
class Peer:
    """`seconds` end with the last commit: peers count their rows after it, which is no work of
    theirs. `inside` leaves out their start as well."""

    title: str
    module: str
    folder: Path
    engine: Lake | None = None
    runs: int = 0
    is_warm: bool = False
    flags: list[str] = field(default_factory=list)

    @property
    def tables(self) -> Path:
        # A new place each time: a server remembers what it knew of an old one.
        return self.folder / f"run-{self.runs}"

    def ready(self, warm_up: Path) -> None:
        if self.engine and not self.is_warm:
            self._run(warm_up)
            self.is_warm = True

    def __call__(self, source: Path, candles: int) -> Figures:
        ran = self._run(source)
        seconds = last_commit(self.tables) - ran.began
        told = ran.last_json
        found = figures(ran, seconds, float(told["seconds"]), self.tables, told["steps"])
        # Its own peak has no gaps between samples; on an engine it is the client's alone.
        return replace(found, memory_mb=max(found.memory_mb, float(told["peak_memory_mb"])))

    def _run(self, source: Path) -> Ran:
        self.clear()
        self.runs += 1
        remote = ["--remote", self.engine.start()] if self.engine else []
        module = f"benchmarks.peers.{self.module}"
        command = [sys.executable, "-m", module, str(source), str(self.tables)]
        return run([*command, *remote, *self.flags], lake=self.engine.root if self.engine else None)

    def clear(self) -> None:
        shutil.rmtree(self.tables, ignore_errors=True)

    def rest(self) -> None:
        if self.engine:
            self.engine.down()
        self.is_warm = False


def figures(
    ran: Ran, seconds: float, inside: float, tables: Path, steps: dict[str, float]
) -> Figures:
    watch = ran.watch
    disk = mebibytes(tables)
    return Figures(seconds, inside, watch.memory_mb, watch.cpu_seconds(), disk, steps)


def steps_of(outcomes: list[dict[str, Any]]) -> dict[str, float]:
    """Seconds by kind of step and layer, what goes on in parallel counted once, slices added."""
    found: dict[str, float] = {}
    until = 0.0
    for outcome in outcomes:
        if outcome["step"] == "dbt model":  # a part of dbt
            continue
        name = " ".join([outcome["step"], *layer_of(outcome)])
        begun = max(outcome["start"], until)
        found[name] = found.get(name, 0.0) + max(0.0, outcome["end"] - begun)
        until = max(until, outcome["end"])
    return found


def layer_of(outcome: dict[str, Any]) -> list[str]:
    if outcome["step"] == "dbt":
        tables = outcome["subject"].split()
        layers = {"gold" if table.startswith("mart_") else "silver" for table in tables}
        return [" and ".join(sorted(layers, reverse=True))]
    return [outcome["subject"].split(".")[0]] if outcome["step"] == "gate" else []


def contenders(home: Path) -> dict[str, Contender]:
    """By short name."""
    found: dict[str, Contender] = {}
    for name, module in PEERS.items():
        title = f"{'DuckDB' if name == 'duckdb' else 'Polars'} + delta-rs"
        found[name] = Peer(title, module, home / name)
    for engine in ("spark", "sail"):
        place = f"pyspark-{engine}"
        title = f"plain PySpark on {engine.capitalize()}"
        server = Lake(home / f"{place}-engine", engine)
        found[place] = Peer(title, "pyspark_peer", home / place, server)
    for engine in ("spark", "sail"):
        name = f"lakehouse-{engine}"
        lake = Lake(home / name, engine)
        found[name] = Lakehouse(f"**the lakehouse on {engine.capitalize()}**", lake)
    return found
