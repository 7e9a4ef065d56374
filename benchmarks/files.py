"""Candles a second from dump files into bronze, gate included, on a warm engine.

    .venv/bin/python -m benchmarks.files [--minutes 525600] [--assets 10] [--rounds 3]

The engines take turns. A round lands everything into an empty lake; an earlier landing of one
file warms the engine and is not counted.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.candles import write_dumps
from benchmarks.machine import machine, spread
from benchmarks.sides import Lake


def land(lake: Lake, pattern: Path, expected: int) -> float:
    """Seconds that landing the files took; every candle must be new in bronze. Raises Failed."""
    return lake.land(pattern, expected, "--no-build").seconds


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
        lakes = {engine: Lake(home / engine, engine) for engine in engines}
        taken: dict[str, list[float]] = {engine: [] for engine in engines}
        try:
            for engine in engines:
                land(lakes[engine], home / "warm" / "*.zip", 1440)
            for _ in range(flags.rounds):
                for engine in engines:
                    lakes[engine].empty()
                    seconds = land(lakes[engine], home / "dumps" / "*.zip", rows)
                    taken[engine].append(seconds)
        finally:
            for lake in lakes.values():
                lake.down()
        print(f"{rows:,} candles, {machine()}")
        for engine, seconds in taken.items():
            rate = rows / sorted(seconds)[len(seconds) // 2]
            print(f"{engine}: {spread(seconds)}, {rate:,.0f} candles/s")


if __name__ == "__main__":
    main()
