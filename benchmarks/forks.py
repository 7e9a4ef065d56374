"""Commands run by the lake's fork server, and the same ones run by themselves.

    .venv/bin/python -m benchmarks.forks [--rounds 3]

A first day of two assets, not counted, warms Sail and leaves the server; then every round takes the
next days of the same assets to gold, and asks, once with the server and once without.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.machine import machine, spread
from benchmarks.sides import Lake

DAY = timedelta(days=1)
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
CANDLES = 3_710
ASKING = {
    "lakehouse sql, on a mart": ("sql", "select * from gold.mart_daily_metrics"),
    "lakehouse tables": ("tables",),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    flags = parser.parse_args()
    taken: dict[tuple[str, str], list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as scratch:
        lake = Lake(Path(scratch) / "lake", "sail")
        try:
            lake.fetch(FIRST, DAY, CANDLES)
            for number in range(flags.rounds * 2):
                is_forked = "true" if number % 2 else "false"
                lake.variables["LAKEHOUSE__FORK_SERVER"] = is_forked
                ran = lake.fetch(FIRST + (number + 1) * DAY, DAY, CANDLES)
                taken["a day to gold", is_forked].append(ran.seconds)
                for what, command in ASKING.items():
                    taken[what, is_forked].append(lake(*command).seconds)
        finally:
            lake.down()
    print(machine())
    for (what, is_forked), seconds in sorted(taken.items()):
        print(f"{what}, fork server {is_forked}: {spread(seconds)}")


if __name__ == "__main__":
    main()
