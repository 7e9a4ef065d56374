"""`lakehouse release …`: silver and gold as they were built together, kept under a name."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import typer

from lakehouse import releases
from lakehouse.backfill import runs
from lakehouse.builds import create_release, drop_release, roll_back
from lakehouse.changes import TableChanges, table_changes
from lakehouse.cli.output import print_json, print_rows, say
from lakehouse.engine import connect
from lakehouse.outcomes import Recorder
from lakehouse.releases import Release
from lakehouse.settings import load_settings
from lakehouse.time_travel import is_readable, tables_on_disk

app = typer.Typer(help="Releases: silver and gold as they were built and gated together.")

NAME = typer.Argument(help="Name of a release; latest is the newest.")
JSON = typer.Option(False, "--json", help="Print JSON.")


@app.command()
def create(
    name: str | None = typer.Argument(None, help="Default: a name of the time."),
) -> None:
    """Keep silver and gold as they are, until the release is dropped."""
    settings = load_settings()
    release = create_release(settings, Recorder(settings, runs.new_run_id()), name)
    tables, rows = len(release.versions), sum(release.rows.values())
    say(f"Release {release.name} keeps {tables} tables with {rows:,} rows.")


@app.command("list")
def list_releases(
    everything: bool = typer.Option(False, "--all", help="Those let go, too."),
    as_json: bool = JSON,
) -> None:
    """The releases, newest first."""
    settings = load_settings()
    found = releases.all_releases(settings) if everything else releases.kept_releases(settings)
    rows = [_row(release) for release in found]
    if as_json:
        print_json(rows)
    elif rows:
        print_rows(rows)
    else:
        say("No releases. Each build makes one; `lakehouse release create` names one.")


def _row(release: Release) -> dict[str, Any]:
    return {
        "release": release.name,
        "kind": release.kind,
        "created_at": release.created_at,
        "tables": len(release.versions),
        "rows": sum(release.rows.values()),
        "is_kept": release.is_kept,
    }


@app.command()
def show(name: str = NAME, as_json: bool = JSON) -> None:
    """The tables of a release: their versions, and what of bronze is in them."""
    settings = load_settings()
    release = releases.find_release(settings, name)
    present = set(tables_on_disk(settings))
    rows = [
        {
            "table": table,
            "version": version,
            "rows": release.rows[table],
            "is_readable": table in present and is_readable(settings, table, version),
            "built_at": release.built_at[table],
            "bronze_versions": json.loads(release.bronze_versions[table]),
        }
        for table, version in release.versions.items()
    ]
    if as_json:
        print_json(rows)
        return
    title = f"Release {release.name} ({release.kind}), made {release.created_at:%Y-%m-%d %H:%M:%S}"
    print_rows([{**row, "bronze_versions": _listed(row["bronze_versions"])} for row in rows], title)


def _listed(versions: dict[str, int]) -> str:
    return ", ".join(f"{timeframe}: {version}" for timeframe, version in versions.items())


@app.command()
def diff(
    a: str = typer.Argument(help="The earlier release."),
    b: str = typer.Argument(help="The later release; latest is the newest."),
    as_json: bool = JSON,
) -> None:
    """What the later release has that the earlier has not, and how far gold's numbers moved.

    JSON has every column that moved, silver's among them.
    """
    settings = load_settings()
    earlier, later = (releases.find_release(settings, name) for name in (a, b))
    session = connect(settings)
    changes = [
        table_changes(session, settings, table, version, later.versions[table])
        for table, version in earlier.versions.items()
        if table in later.versions
    ]
    if as_json:
        print_json([asdict(change) for change in changes])
        return
    print_rows([_summary(change) for change in changes], f"{earlier.name} to {later.name}")
    moved = [row for change in changes for row in _moved(change)]
    if moved:
        print_rows(moved, "Numbers of gold that moved")


def _summary(change: TableChanges) -> dict[str, Any]:
    versions = {"version_before": change.before, "version_after": change.after}
    counts = {"added": change.added, "removed": change.removed, "changed": change.changed}
    return {"table": change.table, **versions, **counts}


def _moved(change: TableChanges) -> list[dict[str, Any]]:
    if not change.table.startswith("gold."):
        return []
    numbers = (column for column in change.columns if column.mean_step is not None)
    return [{"table": change.table, **asdict(column)} for column in numbers]


@app.command()
def rollback(name: str = NAME) -> None:
    """Make silver and gold what they were in a release, all of them or none."""
    settings = load_settings()
    made = roll_back(settings, Recorder(settings, runs.new_run_id()), name)
    say(f"Silver and gold are what they were in {name}; that is release {made.name}.")
    say("Bronze is as it was: `lakehouse build` takes in what came since.")


@app.command()
def drop(name: str = NAME) -> None:
    """Let a release go; vacuum may remove what only it needs."""
    release = drop_release(load_settings(), name)
    say(f"Release {release.name} is let go.")
