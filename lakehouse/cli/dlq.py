"""`lakehouse dlq …`: the dead letters, and what becomes of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import islice

import typer

from lakehouse import pipeline
from lakehouse.cli.output import print_json, print_rows, say
from lakehouse.dead_letters import DeadLetter, discard, find_dead_letter, list_dead_letters
from lakehouse.errors import UnreadableDeadLetter
from lakehouse.moments import parse_moment
from lakehouse.settings import Settings, load_settings

app = typer.Typer(help="Dead letters: what a gate refused, why, and what becomes of it.")

NAMES = typer.Argument(None, help="Names, or the eight digits they end in; none: those filtered.")
TABLE = typer.Option(None, help="Only of this table.")
REASON = typer.Option(None, help="Only with this in a reason.")
SINCE = typer.Option(None, help="Only from this time on, UTC.")
LIMIT = typer.Option(None, min=1, help="At most so many, the newest.")
ALL = typer.Option(False, "--all", help="Every letter, where no name or filter is given.")
JSON = typer.Option(False, "--json", help="Print JSON.")


def _chosen(
    settings: Settings,
    names: list[str] | None,
    table: str | None,
    reason: str | None,
    since: str | None,
    limit: int | None,
) -> list[DeadLetter]:
    if names:
        return [find_dead_letter(settings.lake, name) for name in names]
    moment = parse_moment(since, "--since") if since else None
    letters, unreadable = list_dead_letters(settings.lake, table, reason, moment, limit)
    _warn(unreadable)
    return letters


def _warn(unreadable: Iterable[UnreadableDeadLetter]) -> None:
    for error in unreadable:
        typer.echo(f"Warning: {error}", err=True)


@app.command("list")
def list_letters(
    table: str | None = TABLE,
    reason: str | None = REASON,
    since: str | None = SINCE,
    limit: int | None = LIMIT,
    as_json: bool = JSON,
) -> None:
    """What is in the queue, newest first."""
    letters = _chosen(load_settings(), None, table, reason, since, limit)
    if as_json:
        print_json([_row(letter) for letter in letters])
    elif letters:
        print_rows([_short(letter) for letter in letters])
    else:
        say("No dead letters.")


def _short(letter: DeadLetter) -> dict[str, object]:
    row = _row(letter)
    digits = {"letter": letter.name[-8:], "written_at": letter.timestamp}
    return {**digits, "table": letter.table, **{name: row[name] for name in list(row)[2:]}}


def _row(letter: DeadLetter) -> dict[str, object]:
    return {
        "name": letter.name,
        "table": letter.table,
        "asset_pair": letter.context.get("asset_pair"),
        "timeframe": letter.context.get("timeframe"),
        "records": letter.records,
        "error": letter.error,
        "attempts": letter.attempts,
    }


@app.command()
def show(
    name: str = typer.Argument(help="Its name, or the eight digits it ends in."),
    limit: int = typer.Option(20, min=1, help="At most so many records."),
) -> None:
    """One letter as JSON: where its rows came from, each row as it arrived, and its reason."""
    letter = find_dead_letter(load_settings().lake, name)
    head = {"path": str(letter.path), "timestamp": letter.timestamp.isoformat()}
    facts = {"error": letter.error, "context": dict(letter.context), "count": letter.records}
    records = list(islice(letter.read_records(), limit))
    typer.echo(json.dumps({**head, **facts, "records": records}, indent=2))


@app.command()
def replay(
    names: list[str] | None = NAMES,
    table: str | None = TABLE,
    reason: str | None = REASON,
    since: str | None = SINCE,
    limit: int | None = LIMIT,
    everything: bool = ALL,
    no_build: bool = typer.Option(False, "--no-build", help="Land only; silver and gold wait."),
    as_json: bool = JSON,
) -> None:
    """Gate letters again: what passes is landed, what fails stays (and the exit code is 1)."""
    _demand_choice(names, table, reason, since, limit, everything)
    settings = load_settings()
    letters = _chosen(settings, names, table, reason, since, limit)
    done = pipeline.replay_dead_letters(settings, letters, with_build=not no_build)
    _warn(done.unreadable)
    if as_json:
        kept = [letter.name for letter in done.kept]
        print_json([{"landed": done.passed, "still_failing": done.failed, "kept": kept}])
    else:
        say(
            f"{len(letters)} letters replayed: {done.passed} records landed, "
            f"{done.failed} still fail, {len(done.kept)} letters stay."
        )
    if done.failed or done.unreadable:
        raise typer.Exit(1)


@app.command("discard")
def discard_letters(
    names: list[str] | None = NAMES,
    table: str | None = TABLE,
    reason: str | None = REASON,
    since: str | None = SINCE,
    limit: int | None = LIMIT,
    everything: bool = ALL,
) -> None:
    """Move letters to the archive, dlq/archive; nothing is deleted."""
    _demand_choice(names, table, reason, since, limit, everything)
    settings = load_settings()
    for letter in _chosen(settings, names, table, reason, since, limit):
        say(f"{letter.name} is now {discard(settings.lake, letter)}")


def _demand_choice(*choices: object) -> None:
    if not any(choices):
        raise typer.BadParameter("name letters, or filter them, or say --all")
