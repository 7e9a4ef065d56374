"""`lakehouse backup …`: the lake once more, somewhere else, and back again."""

from __future__ import annotations

from pathlib import Path

import typer

from lakehouse import backup as backups
from lakehouse.backup import Manifest
from lakehouse.cli.output import print_json, print_rows, say
from lakehouse.settings import load_settings

app = typer.Typer(help="Backups: incremental, read back before they are trusted.")

BACKUP = typer.Argument("latest", help="Its id, or latest: the newest of a whole lake.")
RELEASE = typer.Option(None, help="Only the tables of it, as it pins them.")
TO = typer.Option(None, help="Folder of the backups; default: backup.folder.")
ROOT = typer.Option(..., "--to", help="Root of the new lake: a directory that is absent or empty.")
FROM = typer.Option(None, "--from", help="Folder of the backups; default: backup.folder.")
JSON = typer.Option(False, "--json", help="Print JSON.")


@app.command()
def create(release: str | None = RELEASE, to: Path | None = TO, as_json: bool = JSON) -> None:
    """Back up the lake; only what the folder does not have yet is copied."""
    made = backups.create(load_settings(), release, to)
    row = {
        **_row(made.manifest),
        "files_copied": made.files_copied,
        "bytes_copied": made.bytes_copied,
        "files_present": made.files_present,
        "bytes_present": made.bytes_present,
    }
    (print_json if as_json else print_rows)([row])


@app.command("list")
def list_all(folder: Path | None = FROM, as_json: bool = JSON) -> None:
    """The backups there are, newest first."""
    found, damaged = backups.list_backups(load_settings(), folder)
    for error in damaged:
        typer.echo(f"Warning: {error}", err=True)
    rows = [_row(manifest) for manifest in found]
    if as_json:
        print_json(rows)
    elif rows:
        print_rows(rows)
    else:
        say("No backups.")


@app.command()
def verify(backup: str = BACKUP, folder: Path | None = FROM, as_json: bool = JSON) -> None:
    """Read a backup back: every file of it, and every row of its tables."""
    done = backups.verify(load_settings(), backup, folder)
    tables = [{"table": t.table, "version": t.version, "rows": t.rows} for t in done.tables]
    if as_json:
        facts = {"backup": done.manifest.id, "objects": done.objects, "bytes": done.bytes_read}
        print_json([{**facts, "tables": tables}])
    else:
        print_rows(tables)
        say(f"{done.manifest.id} is whole: {done.objects:,} contents, {done.bytes_read:,} bytes.")


@app.command()
def restore(
    backup: str = BACKUP,
    root: Path = ROOT,
    folder: Path | None = FROM,
    as_json: bool = JSON,
) -> None:
    """Restore a backup to another root, and compare each table with what was backed up."""
    done = backups.restore(load_settings(), root, backup, folder)
    tables = [
        {
            "table": t.table,
            "version": t.version,
            "version_in_backup": t.backup_version,
            "rows": t.rows,
            "rows_in_backup": t.backup_rows,
            "is_same": t.is_same,
        }
        for t in done.tables
    ]
    if as_json:
        print_json([{"backup": done.manifest.id, "root": str(done.root), "tables": tables}])
    else:
        print_rows(tables)
        say(f"{done.manifest.id} is now the lake {root}.")


def _row(manifest: Manifest) -> dict[str, object]:
    return {
        "backup": manifest.id,
        "kind": manifest.kind,
        "release": manifest.release,
        "tables": len(manifest.tables),
        "rows": sum(table.rows for table in manifest.tables),
        "files": len(manifest.files),
        "size_bytes": manifest.size_bytes,
    }
