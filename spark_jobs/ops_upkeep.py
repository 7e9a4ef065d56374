"""Upkeep of the lake's tables: compact, order, vacuum, count. No engine is needed.

`--only compact` does after every landing what is worth it then; without it, everything is done.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lakehouse import maintenance
from lakehouse.builds import build_lock
from lakehouse.inventory import inventory
from lakehouse.metrics import write_metrics
from lakehouse.settings import Settings, load_settings
from lakehouse.time_travel import tables_on_disk

log = logging.getLogger(__name__)


def compact(settings: Settings) -> dict[str, int]:
    """Make few files of many, in the tables that have many; files by which each shrank."""
    with build_lock(settings):
        names = [n for n in tables_on_disk(settings) if maintenance.is_scattered(settings, n)]
        return {name: _shrunk(name, maintenance.optimize(settings, name)) for name in names}


def order(settings: Settings, table: str) -> dict[str, int]:
    """Compact the table and order it as its registry entry says; files by which it shrank."""
    columns = maintenance.order_of(table)
    with build_lock(settings):
        return {table: _shrunk(table, maintenance.optimize(settings, table, columns))}


def vacuum(settings: Settings, table: str) -> dict[str, int]:
    """Remove files that no version within the retention and no kept release needs; how many."""
    hours = maintenance.safe_retention_hours(settings, table)
    files = maintenance.vacuum(settings, table)
    log.info("%s: %d files older than %g h removed.", table, len(files), hours)
    return {table: len(files)}


def count(settings: Settings) -> Path:
    """Write the metrics; the path of their file."""
    file = write_metrics(settings)
    log.info("Metrics are in %s.", file)
    return file


def report(settings: Settings) -> list[dict[str, Any]]:
    """Log what every table holds; the same as rows."""
    tables = inventory(settings)
    for table in tables:
        log.info("%s: %s rows, %s to %s", table.table, f"{table.rows:,}", table.first, table.last)
    return [{"table": table.table, "rows": table.rows} for table in tables]


def _shrunk(table: str, metrics: dict[str, Any]) -> int:
    removed, added = metrics["numFilesRemoved"], metrics["numFilesAdded"]
    log.info("%s: %d files became %d.", table, removed, added)
    return int(removed) - int(added)


def main(argv: Sequence[str]) -> None:
    """`argv` may hold --only compact."""
    parser = argparse.ArgumentParser(prog="ops_upkeep")
    parser.add_argument("--only", choices=["compact"])
    settings = load_settings()
    if parser.parse_args(argv).only:
        compact(settings)
    else:
        for table in tables_on_disk(settings):
            order(settings, table)
            vacuum(settings, table)
    count(settings)


if __name__ == "__main__":
    main(sys.argv[1:])
