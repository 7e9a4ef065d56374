"""Build silver and gold from what bronze brought, for spark-submit and Airflow."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from lakehouse.cli import main as command_line


def main(argv: Sequence[str]) -> None:
    """`argv` may hold --full-refresh. Exit code 0: built; 1: something failed and is named."""
    command_line(["build", *argv])


if __name__ == "__main__":
    main(sys.argv[1:])
