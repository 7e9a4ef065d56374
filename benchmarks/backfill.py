"""From Parquet files to gold: the lakehouse on each engine beside what one would use without it.

    .venv/bin/python -m benchmarks.backfill [--sizes 0.5,5] [--rounds 3] [--sides polars,duckdb,
        pyspark-spark,pyspark-sail,lakehouse-spark,lakehouse-sail] [--assets 10] [--checks 3]

Sizes are millions of candles; a round of 50 takes Polars and the lakehouse on Sail ten minutes.
Every side makes the same tables, in turn, and in the first rounds (`--checks`) they are compared
with those of the first side that finished. Engines are warm: a small landing of the same kind, not
counted, comes first. Above 2 M candles one engine at a time is up, so that each has the machine's
memory.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections import defaultdict
from datetime import date, timedelta
from pathlib import Path

from benchmarks import report
from benchmarks.candles import CANDLES_A_DAY, write_parquet
from benchmarks.contenders import Contender, Figures, contenders
from benchmarks.machine import spread
from benchmarks.peers.agreement import disagreements
from benchmarks.sides import Failed, ratios

LAST_DAY = date(2025, 9, 28)
STAYING_UP = 2_000_000
HEAD = (
    *("side", "seconds", "of which inside", "of Polars' time", "candles a second"),
    *("processor seconds", "peak memory, MiB", "on disk, MiB"),
)


class Contest:
    """The rounds of one size. What a side failed with stands in the place of its figures."""

    def __init__(self, sides: dict[str, Contender], home: Path, candles: int) -> None:
        self.sides, self.home, self.candles = sides, home, candles
        self.found: dict[str, list[Figures]] = defaultdict(list)
        self.failed: dict[str, str] = {}
        self.differing: dict[str, list[str]] = {}
        self.checked = 0

    def round(self, is_checked: bool) -> None:
        model: Path | None = None
        for name, side in self.sides.items():
            if name in self.failed:
                continue
            try:
                side.ready(self.home / "warm")
                self.found[name].append(side(self.home / "data", self.candles))
                self.tell(name)
            except Failed as failure:
                self.failed[name] = str(failure)
                print(f"{name}: {failure}", file=sys.stderr)
                side.rest()
            else:
                if is_checked:
                    model = self.compare(model, name)
            finally:
                self.leave(side, is_model=model == side.tables)
        for side in self.sides.values():
            side.clear()

    def tell(self, name: str) -> None:
        last = self.found[name][-1]
        print(f"{self.candles:,} {name}: {last.seconds:.1f} s", file=sys.stderr, flush=True)

    def leave(self, side: Contender, *, is_model: bool) -> None:
        if self.candles > STAYING_UP:
            side.rest()
        if not is_model:
            side.clear()

    def compare(self, model: Path | None, name: str) -> Path:
        tables = self.sides[name].tables
        if model is None:
            return tables
        self.checked += 1
        if differing := disagreements(model, tables):
            self.differing[name] = differing
        return model

    def row(self, name: str) -> list[str]:
        title, found = self.sides[name].title, self.found[name]
        if name in self.failed:
            return [title, self.failed[name], *[""] * (len(HEAD) - 2)]
        seconds = [each.seconds for each in found]
        base = [each.seconds for each in self.found.get("polars", [])]
        ratio = f"{statistics.median(ratios(seconds, base)):.2f}" if base else ""
        medians = [
            statistics.median(getattr(each, what) for each in found)
            for what in ("cpu_seconds", "memory_mb", "disk_mb")
        ]
        inside = f"{statistics.median(each.inside for each in found):.1f} s"
        rate = f"{self.candles / statistics.median(seconds):,.0f}"
        return [title, spread(seconds), inside, ratio, rate, *(f"{m:,.0f}" for m in medians)]

    def steps(self, name: str) -> str:
        """Where the median round's time went."""
        found = sorted(self.found[name], key=lambda each: each.seconds)[len(self.found[name]) // 2]
        each = ", ".join(f"{step} {seconds:.1f}" for step, seconds in found.steps.items())
        return f"{self.sides[name].title}, seconds: {each}."

    def section(self) -> str:
        rounds = max((len(found) for found in self.found.values()), default=0)
        told = [f"### {self.candles:,} candles, {rounds} rounds"]
        told.append(report.table(HEAD, [self.row(name) for name in self.sides]))
        told += [self.steps(name) for name, found in self.found.items() if found]
        for name, faults in self.differing.items():
            told.append(f"{name} does not agree: {'; '.join(faults)}")
        if self.checked and not self.differing:
            told.append(f"The tables agree, in all of {self.checked} comparisons.")
        return "\n\n".join(told)


def contest(size: float, sides: dict[str, Contender], home: Path, assets: int) -> Contest:
    days = max(1, round(size * 1e6 / CANDLES_A_DAY / assets))
    first = LAST_DAY - timedelta(days=days - 1)
    (home / "data").mkdir()
    write_parquet(home / "warm", 2, 2, LAST_DAY)
    candles = write_parquet(home / "data", assets, days, first)
    return Contest(sides, home, candles)


def main() -> None:
    parser = report.parser(__doc__)
    parser.add_argument("--sizes", type=report.numbers, default=[0.5, 5.0])
    parser.add_argument("--sides", type=report.names, default=None)
    parser.add_argument("--assets", type=int, default=10)
    parser.add_argument("--checks", type=int, default=1000, help="rounds whose tables are compared")
    flags = parser.parse_args()
    sections = []
    for size in flags.sizes:
        with tempfile.TemporaryDirectory() as scratch:
            known = contenders(Path(scratch))
            if unknown := set(flags.sides or []) - set(known):
                parser.error(f"no such sides: {', '.join(unknown)}; there are {', '.join(known)}")
            sides = {name: known[name] for name in flags.sides or known}
            found = contest(size, sides, Path(scratch), flags.assets)
            try:
                for number in range(flags.rounds):
                    found.round(is_checked=number < flags.checks)
            finally:
                for side in sides.values():
                    side.rest()
        sections.append(found.section())
    about = (
        "The lakehouse's seconds are the whole command's, gates, ledgers, release and Data Docs "
        "included; inside: from its first step to its last. A peer's end with its last commit."
    )
    report.publish(flags.results, "backfill", about, *sections)


if __name__ == "__main__":
    main()
