"""Printing rows: as a table for people, as JSON, CSV or Parquet for programs."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table


class Format(StrEnum):
    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


@cache
def console() -> Console:
    """Standard output. Where nobody sees it, a table need not fit a screen."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else 160)


def say(text: str) -> None:
    """A line for people, broken by their terminal only."""
    console().print(text, soft_wrap=True)


def print_rows(rows: Sequence[dict[str, Any]], title: str | None = None) -> None:
    """A table with a column for each key of the first row."""
    table = Table(title=title, title_justify="left", header_style="bold")
    names = list(rows[0]) if rows else []
    for name in names:
        is_number = all(isinstance(row[name], int | float) for row in rows)
        table.add_column(name, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(readable(row[name]) for name in names))
    console().print(table if rows else "No rows.")


def print_json(rows: Sequence[dict[str, Any]]) -> None:
    sys.stdout.write(json.dumps(list(rows), default=_plain, indent=2, allow_nan=False) + "\n")


def print_arrow(data: pa.Table, form: Format) -> None:
    """Parquet goes to standard output as bytes."""
    if form is Format.PARQUET:
        pq.write_table(data, pa.PythonFile(sys.stdout.buffer, mode="w"))
    elif form is Format.CSV:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(data.column_names)
        writer.writerows([_plain_or_same(v) for v in row.values()] for row in data.to_pylist())
    elif form is Format.JSON:
        print_json([_without_nan(row) for row in data.to_pylist()])
    else:
        print_rows(data.to_pylist())


def readable(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.6g}" if abs(value) < 1 else f"{value:,.4f}".rstrip("0").rstrip(".")
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return str(value)


def _plain_or_same(value: Any) -> Any:
    return _plain(value) if isinstance(value, datetime | date) else value


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    return str(value)


def _without_nan(row: dict[str, Any]) -> dict[str, Any]:
    return {name: None if value != value else value for name, value in row.items()}
