"""A week of two assets and six timeframes, from the exchange to gold, on a warm engine.

    .venv/bin/python -m benchmarks.week [--rounds 3]

A first week, not counted, warms each engine; then every round adds the seven days that follow.
The engines take turns.
"""

from __future__ import annotations

import argparse
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.machine import machine, spread
from benchmarks.sides import Lake

WEEK = timedelta(days=7)
CANDLES = 25_970


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engines", default="spark,sail")
    flags = parser.parse_args()
    engines = flags.engines.split(",")
    first = datetime(2026, 1, 1, tzinfo=UTC)
    taken: dict[str, list[float]] = {engine: [] for engine in engines}
    cold: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as scratch:
        lakes = {engine: Lake(Path(scratch) / engine, engine) for engine in engines}
        try:
            for engine in engines:
                cold[engine] = lakes[engine].fetch(first, WEEK, CANDLES).seconds
            for number in range(1, flags.rounds + 1):
                for engine in engines:
                    start = first + number * WEEK
                    taken[engine].append(lakes[engine].fetch(start, WEEK, CANDLES).seconds)
        finally:
            for lake in lakes.values():
                lake.down()
    print(f"{CANDLES:,} candles a week, {machine()}")
    for engine, seconds in taken.items():
        print(f"{engine}: cold {cold[engine]:.1f} s, warm {spread(seconds)}")


if __name__ == "__main__":
    main()
