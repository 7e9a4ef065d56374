"""Which module holds which command.

To import them all takes longer than many a command, so only the one that was asked for is.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer

# In the order of `lakehouse --help`. A module that is named like its command and has an `app` is a
# group of commands; else the command is the function of its name.
MODULES = {
    **{"backfill": "backfill", "build": "upkeep", "gaps": "gaps"},
    **dict.fromkeys(("sql", "read", "history"), "query"),
    **{"diff": "diff", "tables": "query", "explain": "explain", "lineage": "lineage"},
    **dict.fromkeys(("optimize", "vacuum"), "upkeep"),
    **dict.fromkeys(("up", "down", "airflow", "status", "doctor"), "service"),
    **{name: name for name in ("release", "dlq", "backup", "stream")},
}
# Airflow's own command line reads what follows its name.
SETTINGS: dict[str, dict[str, Any]] = {
    "airflow": {
        "context_settings": {"allow_extra_args": True, "ignore_unknown_options": True},
        "add_help_option": False,
    }
}


def application(asked_for: str = "") -> typer.Typer:
    """The command line with the command of that name alone, if there is one; else with all."""
    app = typer.Typer(
        name="lakehouse",
        help="A market-data lakehouse: land candles, gate them, build silver and gold, "
        "query any past.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
        rich_markup_mode="rich",
    )
    app.callback()(options)
    for name in [asked_for] if asked_for in MODULES else MODULES:
        _add(app, name)
    return app


def _add(app: typer.Typer, name: str) -> None:
    module = import_module(f"lakehouse.cli.{MODULES[name]}")
    if hasattr(module, "app"):
        app.add_typer(module.app, name=name)
    else:
        app.command(name, **SETTINGS.get(name, {}))(getattr(module, name))


def options(
    verbose: bool = typer.Option(False, "--verbose", help="Log each step; show tracebacks."),
) -> None:
    """Options of every command."""
