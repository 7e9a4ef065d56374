"""What each peer tells about its run."""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Run:
    """The seconds of a run, by step, and the rows of its tables."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.steps: dict[str, float] = defaultdict(float)
        self.rows: Counter[str] = Counter()
        self.seconds = 0.0

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.steps[name] += time.perf_counter() - began

    def finish(self) -> None:
        """After the last commit."""
        self.seconds = time.perf_counter() - self.began

    def report(self) -> str:
        """One line of JSON."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return json.dumps(
            {
                "seconds": round(self.seconds, 3),
                "steps": {name: round(spent, 3) for name, spent in self.steps.items()},
                "peak_memory_mb": round(peak),
                "rows": self.rows,
            }
        )


def arguments(description: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("input", type=Path, help="folder of SYMBOL-TIMEFRAME-DATE.parquet")
    parser.add_argument("output", type=Path, help="folder of the Delta tables")
    return parser
