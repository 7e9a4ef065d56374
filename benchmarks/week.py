"""A week of two assets and six timeframes, from the exchange to gold, on a warm engine.

    .venv/bin/python -m benchmarks.week [--rounds 3]

A first week, not counted, warms each engine; then every round adds the seven days that follow.
The engines take turns.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.files import lakehouse
from benchmarks.machine import machine, spread

WEEK = timedelta(days=7)
CANDLES = 25_970


def add_week(lake: Path, engine: str, start: datetime) -> float:
    """Seconds from the command to the finished tables; all candles must be new."""
    began = time.perf_counter()
    output = lakehouse(
        lake,
        engine,
        *("backfill", "--assets", "BTCUSD,ETHUSD", "--json"),
        *("--from", f"{start:%Y-%m-%d}", "--to", f"{start + WEEK:%Y-%m-%d}"),
    )
    seconds = time.perf_counter() - began
    (result,) = json.loads(output)
    if result["rows_new"] != CANDLES:
        sys.exit(f"{engine}: {result['rows_new']} candles landed, not {CANDLES}")
    return seconds


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
        try:
            for engine in engines:
                cold[engine] = add_week(Path(scratch) / engine, engine, first)
            for number in range(1, flags.rounds + 1):
                for engine in engines:
                    start = first + number * WEEK
                    taken[engine].append(add_week(Path(scratch) / engine, engine, start))
        finally:
            for engine in engines:
                lakehouse(Path(scratch) / engine, engine, "down")
    print(f"{CANDLES:,} candles a week, {machine()}")
    for engine, seconds in taken.items():
        print(f"{engine}: cold {cold[engine]:.1f} s, warm {spread(seconds)}")


if __name__ == "__main__":
    main()
