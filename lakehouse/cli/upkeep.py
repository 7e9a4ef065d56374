"""`lakehouse build | optimize | vacuum`: keeping the tables built and in shape."""

from __future__ import annotations

import typer

from lakehouse import maintenance
from lakehouse.backfill import runs
from lakehouse.builds import build as build_tables
from lakehouse.cli.output import print_rows, say
from lakehouse.engine import connect
from lakehouse.outcomes import Recorder
from lakehouse.settings import load_settings
from lakehouse.time_travel import tables_on_disk

TABLE = typer.Argument(None, help="Full name; without it, every table.")


def build(
    full_refresh: bool = typer.Option(False, "--full-refresh", help="Build from all of bronze."),
) -> None:
    """Bring silver and gold up to what bronze holds."""
    settings = load_settings()
    recorder = Recorder(settings, runs.new_run_id())
    built = build_tables(connect(settings), settings, recorder, full_refresh=full_refresh)
    recorder.write_data_docs()
    if not built.arrivals:
        say("Silver and gold are up to date.")
        return
    print_rows([{"table": name, "rows_written": rows} for name, rows in built.rows.items()])


def optimize(
    table: str | None = TABLE,
    zorder: str | None = typer.Option(None, help="Columns to order by, comma-separated."),
) -> None:
    """Compact small files."""
    settings = load_settings()
    columns = zorder.split(",") if zorder else None
    for name in [table] if table else tables_on_disk(settings):
        metrics = maintenance.optimize(settings, name, columns)
        removed, added = metrics["numFilesRemoved"], metrics["numFilesAdded"]
        say(f"{name}: {removed} files became {added}.")


def vacuum(
    table: str | None = TABLE,
    retention_hours: float | None = typer.Option(None, min=0, help="Default: the table's own."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Only say what would be removed."),
    allow_short: bool = typer.Option(
        False, maintenance.ALLOWING_WORD, help="Allow less than the safe retention."
    ),
) -> None:
    """Remove files that no version within the retention needs, and no kept release."""
    settings = load_settings()
    for name in [table] if table else tables_on_disk(settings):
        files = maintenance.vacuum(
            settings, name, retention_hours, dry_run=dry_run, allow_short=allow_short
        )
        verb = "would be removed" if dry_run else "removed"
        say(f"{name}: {len(files)} files {verb}.")
