"""Land candles in bronze, for spark-submit and Airflow.

The flags are those of `lakehouse backfill`; silver and gold are left to their own jobs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from lakehouse.cli import main as command_line


def main(argv: Sequence[str]) -> None:
    """Exit code 0: landed; 1: something failed and is named; 2: wrong usage."""
    command_line(["backfill", *argv, "--no-build"])


if __name__ == "__main__":
    main(sys.argv[1:])
