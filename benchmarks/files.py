"""Candles a second from dump files into bronze, gate included, on a warm engine.

    .venv/bin/python -m benchmarks.files [--minutes 525600] [--assets 10] [--rounds 3]

The engines take turns. A round lands everything into an empty lake; an earlier landing of one
file warms the engine and is not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.candles import write_dumps
from benchmarks.machine import machine, spread
from benchmarks.sides import COMMAND, REMEMBERING


def lakehouse(lake: Path, engine: str, *arguments: str) -> str:
    environment = {**os.environ, "LAKEHOUSE__ROOT": str(lake), "LAKEHOUSE__ENGINE": engine}
    done = subprocess.run(
        [COMMAND, *arguments], env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout


def land(lake: Path, engine: str, pattern: Path, expected: int) -> float:
    """Seconds that landing the files took; every candle must be new in bronze."""
    start = time.perf_counter()
    output = lakehouse(lake, engine, "backfill", "--files", str(pattern), "--no-build", "--json")
    seconds = time.perf_counter() - start
    (result,) = json.loads(output)
    if result["rows_new"] != expected:
        sys.exit(f"{engine}: {result['rows_new']} candles landed, not {expected}")
    return seconds


def empty(lake: Path) -> None:
    """Forget the tables and what is known of them; the engine keeps running."""
    for layer in REMEMBERING:
        shutil.rmtree(lake / layer, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=525_600)
    parser.add_argument("--assets", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engines", default="spark,sail")
    flags = parser.parse_args()
    engines = flags.engines.split(",")
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        write_dumps(home / "warm", 1, 1440)
        rows = write_dumps(home / "dumps", flags.assets, flags.minutes)
        taken: dict[str, list[float]] = {engine: [] for engine in engines}
        try:
            for engine in engines:
                land(home / engine, engine, home / "warm" / "*.zip", 1440)
            for _ in range(flags.rounds):
                for engine in engines:
                    empty(home / engine)
                    seconds = land(home / engine, engine, home / "dumps" / "*.zip", rows)
                    taken[engine].append(seconds)
        finally:
            for engine in engines:
                lakehouse(home / engine, engine, "down")
        print(f"{rows:,} candles, {machine()}")
        for engine, seconds in taken.items():
            rate = rows / sorted(seconds)[len(seconds) // 2]
            print(f"{engine}: {spread(seconds)}, {rate:,.0f} candles/s")


if __name__ == "__main__":
    main()
