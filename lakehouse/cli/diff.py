"""`lakehouse diff`: what changed in a table between two of its versions."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import typer

from lakehouse.changes import TableChanges, changed_rows, table_changes, version_named
from lakehouse.cli.output import print_json, print_rows, readable, say
from lakehouse.engine import connect
from lakehouse.settings import load_settings

JSON = typer.Option(False, "--json", help="Print JSON.")
POINT = "A version, a release or a time (UTC)."


def diff(
    table: str = typer.Argument(help="Full name, e.g. gold.mart_daily_metrics."),
    before: str = typer.Argument(metavar="FROM", help=POINT),
    after: str = typer.Argument(metavar="TO", help=POINT),
    limit: int = typer.Option(10, min=0, help="Show at most so many rows that differ."),
    as_json: bool = JSON,
) -> None:
    """What one version of a table has that another has not, and how far its numbers moved."""
    settings = load_settings()
    a, b = (version_named(settings, table, name) for name in (before, after))
    session = connect(settings)
    changes = table_changes(session, settings, table, a, b)
    rows = [] if changes.is_empty else changed_rows(session, settings, table, a, b, limit)
    if as_json:
        print_json([{**asdict(changes), "rows": [_plain(row) for row in rows]}])
    else:
        _print(changes, rows)


def _print(changes: TableChanges, rows: list[dict[str, Any]]) -> None:
    say(
        f"{changes.table}, version {changes.before} to {changes.after}: {changes.added:,} rows "
        f"added, {changes.removed:,} removed, {changes.changed:,} changed."
    )
    if changes.columns:
        print_rows([asdict(column) for column in changes.columns])
    if rows:
        print_rows([{**row, "values": _moves(row["values"])} for row in rows])
    if len(rows) < changes.added + changes.removed + changes.changed and rows:
        say(f"The first {len(rows)} of them; --limit shows more.")


def _moves(values: dict[str, tuple[Any, Any]]) -> str:
    moves = (f"{name} {readable(a)} → {readable(b)}" for name, (a, b) in values.items())
    return ", ".join(moves)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    moves = {name: {"before": a, "after": b} for name, (a, b) in row["values"].items()}
    return {**row, "values": moves}
