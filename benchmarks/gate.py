"""What each gate costs beside the step that it guards.

    .venv/bin/python -m benchmarks.gate [--assets 10] [--days 27] [--shares 0,0.01,0.1] [--rounds 3]

Candles land from files and are built, on a warm engine, with these shares of bad rows: high and low
changed places, a volume below zero, a close that is no number. Engines and shares take turns.

Silver and gold have a gate after each stage of dbt models; seconds are those of ops.outcomes, with
what goes on in parallel counted once. Bronze's gate is a part of landing, so its cost is the
landing's time less that of a landing without it: the same files, read and merged into bronze as
they are. Processor seconds are the engine's and the client's together.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections import defaultdict
from dataclasses import astuple, dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks import report
from benchmarks.candles import write_parquet
from benchmarks.machine import spread
from benchmarks.sides import Lake, Ran
from benchmarks.ungated import Ungated

LANDING = "landing in bronze"
HEAD = (
    *("engine", "bad rows", "step", "rows", "step, s", "gate, s", "gate's share"),
    *("gate, s per million rows", "step, processor s", "gate, processor s"),
)


@dataclass(frozen=True, slots=True)
class Cost:
    """Of a step and of its gate: rows the gate saw, seconds, processor seconds."""

    rows: int
    step: float
    gate: float
    step_cpu: float
    gate_cpu: float

    def __add__(self, other: Cost) -> Cost:
        return Cost(*map(sum, zip(astuple(self), astuple(other), strict=True)))


Step = dict[str, Any]
"""A row of ops.outcomes."""

NOTHING = Cost(0, 0, 0, 0, 0)


def spoil(folder: Path, share: float) -> int:
    """Make that share of each file's rows bad; how many there are."""
    if not share:
        return 0
    every, bad = round(1 / share), 0
    for file in folder.glob("*.parquet"):
        candles = pl.read_parquet(file).with_row_index("row")
        is_bad, kind = pl.col("row") % every == every - 1, pl.col("row") // every % 3
        high, low = pl.col("high"), pl.col("low")
        spoilt = candles.with_columns(
            high=pl.when(is_bad & (kind == 0)).then(low).otherwise(high),
            low=pl.when(is_bad & (kind == 0)).then(high).otherwise(low),
            volume=pl.when(is_bad & (kind == 1)).then(-1.0).otherwise(pl.col("volume")),
            close=pl.when(is_bad & (kind == 2)).then(None).otherwise(pl.col("close")),
        )
        spoilt.drop("row").write_parquet(file)
        bad += candles.height // every
    return bad


def gated(lake: Lake, source: Path, rows: int, bad: int) -> dict[str, Cost]:
    """By step, from files to gold; of the landing, `step` is all of it, and its gate unknown."""
    lake.empty()
    ran = lake.land(source / "*.parquet", rows - bad)
    steps = list(lake.outcomes().iter_rows(named=True))
    found: dict[str, Cost] = defaultdict(lambda: NOTHING)
    seconds, cpu = span([step for step in steps if "bronze." in step["subject"]], ran)
    found[LANDING] = Cost(rows, seconds, 0, cpu, 0)
    for at, step in enumerate(steps):
        if step["step"] == "dbt":
            found[step["subject"]] += with_gates(step, steps[at + 1 :], ran)
    return found


def with_gates(step: Step, later: list[Step], ran: Ran) -> Cost:
    """A run of dbt, and the gates until the next one."""
    until_next = takewhile(lambda each: each["step"] != "dbt", later)
    gates = [each for each in until_next if each["step"] == "gate"]
    (seconds, cpu), (gate_seconds, gate_cpu) = span([step], ran), span(gates, ran)
    rows = sum(gate["rows_in"] for gate in gates)
    return Cost(rows, seconds, gate_seconds, cpu, gate_cpu)


def span(steps: list[Step], ran: Ran) -> tuple[float, float]:
    """Seconds from the first start to the last end, and the processor seconds in between."""
    start, end = min(step["start"] for step in steps), max(step["end"] for step in steps)
    return end - start, ran.watch.cpu_seconds(start, end)


class Trial:
    """One engine; costs by share of bad rows and step, a figure a round."""

    def __init__(self, lake: Lake, warm_up: Path) -> None:
        self.lake = lake
        lake.land(warm_up / "*.parquet")
        self.ungated = Ungated(lake)
        self.costs: dict[tuple[float, str], list[Cost]] = defaultdict(list)

    def round(self, source: Path, share: float, rows: int, bad: int) -> None:
        seconds, cpu = self.ungated(source, rows)
        for step, cost in gated(self.lake, source, rows, bad).items():
            if step == LANDING:
                cost = Cost(rows, seconds, cost.step - seconds, cpu, cost.step_cpu - cpu)
            self.costs[share, step].append(cost)

    def rows(self) -> list[list[str]]:
        return [
            self._row(share, step, found) for (share, step), found in sorted(self.costs.items())
        ]

    def _row(self, share: float, step: str, found: list[Cost]) -> list[str]:
        shares = [cost.gate / cost.step for cost in found]
        step_s, gate_s, step_cpu, gate_cpu = (
            statistics.median(getattr(cost, what) for cost in found)
            for what in ("step", "gate", "step_cpu", "gate_cpu")
        )
        return [
            *(self.lake.engine.capitalize(), f"{share:.0%}", named(step)),
            *(f"{found[0].rows:,}", f"{step_s:.2f}", f"{gate_s:.2f}"),
            spread([100 * each for each in shares], 0, " %"),
            f"{gate_s / found[0].rows * 1e6:.2f}",
            *(f"{step_cpu:.1f}", f"{gate_cpu:.1f}"),
        ]


def named(step: str) -> str:
    return step if step == LANDING else step.replace(" ", ", ")


def sources(home: Path, flags: argparse.Namespace) -> dict[float, tuple[Path, int, int]]:
    """By share of bad rows: folder, rows, bad rows."""
    found = {}
    for share in flags.shares:
        folder = home / f"bad-{share}"
        rows = write_parquet(folder, flags.assets, flags.days)
        found[share] = folder, rows, spoil(folder, share)
    return found


def main() -> None:
    parser = report.parser(__doc__)
    parser.add_argument("--assets", type=int, default=10)
    parser.add_argument("--days", type=int, default=27)
    parser.add_argument("--shares", type=report.numbers, default=[0.0, 0.01, 0.1])
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        known = sources(home, flags)
        write_parquet(home / "warm", 2, 2)
        lakes = [Lake(home / engine, engine) for engine in flags.engines]
        trials: list[Trial] = []
        try:
            for lake in lakes:
                trials.append(Trial(lake, home / "warm"))
            for _ in range(flags.rounds):
                for share, (folder, rows, bad) in known.items():
                    for trial in trials:
                        trial.round(folder, share, rows, bad)
        finally:
            for trial in trials:
                trial.ungated.session.stop()
            for lake in lakes:
                lake.down()
    rows_of_all = [row for trial in trials for row in trial.rows()]
    report.publish(flags.results, "gate", report.table(HEAD, rows_of_all))


if __name__ == "__main__":
    main()
