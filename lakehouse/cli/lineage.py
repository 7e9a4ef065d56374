"""`lakehouse lineage`: how tables and steps hang together."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Any

import typer
from rich.tree import Tree

from lakehouse import lineage as lines
from lakehouse.cli.output import console, print_json, print_rows
from lakehouse.settings import load_settings


class Form(StrEnum):
    TEXT = "text"
    MERMAID = "mermaid"
    OPENLINEAGE = "openlineage"


LATEST = "latest"
RUN = typer.Option(None, "--run", help="Only the steps of this run, by its id, or of the latest.")
FORM = typer.Option(Form.TEXT, "--format", help="OpenLineage events are of a run, or the latest.")
JSON = typer.Option(False, "--json", help="Print JSON.")


def lineage(run: str | None = RUN, form: Form = FORM, as_json: bool = JSON) -> None:
    """How tables and steps hang together, or what the steps of a run read and wrote."""
    settings = load_settings()
    if run == LATEST or (form is Form.OPENLINEAGE and run is None):
        run = lines.latest_run(settings)
    steps = lines.steps_of(settings, run) if run else []
    if form is Form.OPENLINEAGE:
        for event in lines.events(settings, run or "", steps):
            sys.stdout.write(lines.as_json(event) + "\n")
        return
    drawn = lines.arrows_of(steps) if run else lines.arrows(settings)
    if form is Form.MERMAID:
        sys.stdout.write(lines.mermaid(drawn) + "\n")
    elif as_json:
        print_json([_step(step) for step in steps] if run else [_arrow(each) for each in drawn])
    elif run:
        print_rows([_step(step) for step in steps])
    else:
        console().print(_tree(drawn))


def _arrow(arrow: lines.Arrow) -> dict[str, str]:
    return {"from": arrow.source, "to": arrow.target, "steps": arrow.steps}


def _step(step: lines.StepRun) -> dict[str, Any]:
    outcome = step.outcome
    return {
        "step": outcome["step"],
        "subject": outcome["subject"],
        "status": outcome["status"],
        "reads": ", ".join(map(_named, step.inputs)),
        "writes_version": outcome["version"],
        "rows_in": outcome["rows_in"],
        "rows_out": outcome["rows_out"],
        "rows_rejected": outcome["rows_rejected"],
    }


def _named(dataset: lines.Dataset) -> str:
    version = "" if dataset.version is None else f" v{dataset.version}"
    return f"{dataset.name}{version}"


def _tree(drawn: list[lines.Arrow]) -> Tree:
    """Bronze tables at the roots, each with where its rows come from; a table that is made of
    several hangs under the first of them, which names the others."""
    outside = lines.sources(drawn)
    tree = Tree("lake", hide_root=True)
    places: dict[str, Tree] = {}
    for table in dict.fromkeys(arrow.target for arrow in drawn):
        into = [arrow for arrow in drawn if arrow.target == table]
        beside = [arrow.source for arrow in into if arrow.source in outside]
        parents = [arrow.source for arrow in into if arrow.source not in outside]
        of = ", ".join(beside or parents[1:])
        steps = f"{of}: {into[0].steps}" if of else into[0].steps
        parent = places[parents[0]] if parents else tree
        places[table] = parent.add(f"[bold]{table}[/] [dim]({steps})[/]")
    return tree
