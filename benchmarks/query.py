"""Ten questions on silver and gold, on each engine; and a question from the command line.

    .venv/bin/python -m benchmarks.query [--assets 10] [--days 90] [--landings 9] [--rounds 5]
        [--cold 1] [--asks 5]

The lake is landed in so many parts on Sail and copied, for each engine in three states: as built,
after `lakehouse optimize`, and after `lakehouse optimize TABLE --zorder …` by asset and time.
Seconds are from the query to its rows in the client: cold, where each question has a new engine and
a connected session (`--cold 0` leaves that out), and warm, question after question, states in turn.
Files and bytes are those that the statistics in the Delta log leave to read.

Engines and states must answer alike. A last question asks for an asset's day in a way that cannot
be pruned: how much longer it takes is what pruning brings.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

import polars as pl
from polars.testing import assert_frame_equal

from benchmarks import report
from benchmarks.asking import LAST_DAY, STATES, Answers, Taken, built, cold, in_states, warm
from benchmarks.machine import spread
from benchmarks.questions import (
    DAILY,
    UNPRUNED,
    Moment,
    Question,
    Wanted,
    questions,
    to_read,
)
from benchmarks.sides import Lake

OF_GOLD = f"select asset_pair, date, close from {DAILY} where date >= date'{LAST_DAY}' order by 1"
UNPRUNED_NAME = "a day's OHLC of an asset, not prunable"
PRUNED_NAME = "a day's OHLC of an asset, from minutes"
CLAIMS = (
    "Pipelines of this kind claim 22.5 times for pruning and 56 times for Z-ordering; a table's "
    "size decides both."
)


def must_agree(answers: dict[str, Answers]) -> None:
    """Stop the benchmark where engines or states say different things."""
    (first, model), *others = answers.items()
    for name, found in others:
        for question, answer in found.items():
            try:
                assert_frame_equal(model[question], answer, check_dtypes=False, rel_tol=1e-9)
            except AssertionError as difference:
                sys.exit(f"{first} and {name} answer {question!r} differently: {difference}")


class Comparison:
    """All engines and states; `left` are the files and bytes to read, by state and question."""

    def __init__(self, model: Lake, asked: list[Question]) -> None:
        self.model, self.asked = model, asked
        self.warm: dict[tuple[str, str], Taken] = {}
        self.cold: dict[tuple[str, str], Taken] = {}
        self.left: dict[tuple[str, str], tuple[int, int, int]] = {}
        self.answers: dict[str, Answers] = {}
        self.asks: list[list[str]] = []

    def engine(self, engine: str, flags: argparse.Namespace) -> None:
        lakes = in_states(self.model, engine)
        try:
            for state, lake in lakes.items():
                self.cold[engine, state] = cold(lake, self.asked if flags.cold else [])
                self.files_of(state, lake.root)
            for state, (taken, answers) in warm(lakes, self.asked, flags.rounds).items():
                self.warm[engine, state] = taken
                self.answers[f"{engine}, {state}"] = answers
            lakes[STATES[0]]("sql", OF_GOLD)
            asks = [lakes[STATES[0]]("sql", OF_GOLD).seconds for _ in range(flags.asks)]
            self.asks.append([engine.capitalize(), spread(asks, 2)])
        finally:
            for lake in lakes.values():
                lake.down()
                shutil.rmtree(lake.root)

    def files_of(self, state: str, root: Path) -> None:
        for question in self.asked:
            version = pinned(root) if question.release else {}
            self.left[state, question.name] = to_read(root, question.tables, version)

    def files(self) -> str:
        rows = []
        for question in self.asked:
            found = [self.left[state, question.name] for state in STATES]
            told = [f"{left} of {every}, {size / 2**20:.2f}" for left, every, size in found]
            rows.append([question.name, *told])
        return report.table(["files that are left to read, and their MiB", *STATES], rows)

    def seconds(self, engine: str) -> str:
        rows = []
        for question in self.asked:
            asked = [self.cold[engine, state].get(question.name, []) for state in STATES]
            cold = " / ".join(f"{statistics.median(found):.2f}" for found in asked if found)
            warm = [spread(self.warm[engine, state][question.name], 3) for state in STATES]
            rows.append([question.name, cold or "not asked", *warm])
        head = [f"{engine.capitalize()}, seconds", f"cold ({' / '.join(STATES)})"]
        return report.table([*head, *(f"warm, {state}" for state in STATES)], rows)

    def gains(self, engine: str) -> str:
        def median(state: str, name: str) -> float:
            return statistics.median(self.warm[engine, state][name])

        each = ", ".join(
            f"{median(state, UNPRUNED_NAME) / median(state, PRUNED_NAME):.1f} ({state})"
            for state in STATES
        )
        order = median("as built", PRUNED_NAME) / median("Z-ordered", PRUNED_NAME)
        return (
            f"{engine.capitalize()}: an asset's day is faster for pruning by a factor of {each}; "
            f"Z-ordering makes it {order:.2f} times as fast."
        )


def pinned(lake: Path) -> dict[str, int]:
    """The versions of the newest release."""
    known = pl.read_delta(str(lake / "ops" / "releases"))
    newest = known.filter(pl.col("created_at") == pl.col("created_at").max())
    return dict(newest.select("table", "version").iter_rows())


def sections(home: Path, flags: argparse.Namespace) -> list[str]:
    moment = Moment("BTCUSD", LAST_DAY)
    asked = questions(moment)
    wanted = next(question.tables for question in asked if question.name == PRUNED_NAME)
    everything: dict[str, Wanted] = {table: {} for table in wanted}
    asked.append(Question(UNPRUNED_NAME, moment.named(UNPRUNED), everything))
    found = Comparison(built(home, flags.assets, flags.days, flags.landings), asked)
    for engine in flags.engines:
        found.engine(engine, flags)
    must_agree(found.answers)
    head = [f'`lakehouse sql "select … from {DAILY} …"`, {flags.asks} times', "seconds"]
    seconds = [found.seconds(engine) for engine in flags.engines]
    gains = [found.gains(engine) for engine in flags.engines]
    return [report.table(head, found.asks), found.files(), *seconds, *gains, CLAIMS]


def main() -> None:
    parser = report.parser(__doc__, rounds=5)
    parser.add_argument("--assets", type=int, default=10)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--landings", type=int, default=9)
    parser.add_argument("--cold", type=int, default=1)
    parser.add_argument("--asks", type=int, default=5)
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        told = sections(Path(scratch), flags)
    about = f"{flags.assets} assets, {flags.days} days, {flags.landings} landings."
    report.publish(flags.results, "query", about, *told)


if __name__ == "__main__":
    main()
