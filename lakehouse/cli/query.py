"""`lakehouse sql | read | history | tables`: asking the lakehouse."""

from __future__ import annotations

import re
from dataclasses import asdict

import typer
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame

from lakehouse import time_travel
from lakehouse.cli.output import Format, print_arrow, print_json, print_rows
from lakehouse.engine import connect
from lakehouse.errors import InvalidFilter, InvalidQuery
from lakehouse.inventory import inventory
from lakehouse.moments import parse_moment
from lakehouse.queries import run_query
from lakehouse.settings import load_settings

READING = {"select", "with", "show", "describe", "desc", "explain", "values", "table", "from", "("}
FORMAT = typer.Option(Format.TABLE, "--format", help="How to print the rows.")
AS_OF = typer.Option(None, "--as-of", help="As of this time, UTC.")
RELEASE = typer.Option(None, help="As this release has it; latest is the newest.")
JSON = typer.Option(False, "--json", help="Print JSON.")


def sql(
    query: str = typer.Argument(help='For instance "select * from gold.mart_daily_metrics".'),
    as_of: str | None = AS_OF,
    release: str | None = RELEASE,
    form: Format = FORMAT,
    as_json: bool = JSON,
) -> None:
    """Run a query over the lake's tables: as they are, as they were, or as a release has them."""
    statement = query.strip().rstrip(";")
    first = re.match(r"\(|\w+", statement)
    if not first or first[0].lower() not in READING:
        problem = f"it starts with {statement[:20]!r}; `lakehouse sql` reads and changes nothing."
        raise InvalidQuery(problem=problem)
    settings = load_settings()
    moment = parse_moment(as_of, "--as-of") if as_of else None
    session = connect(settings)
    try:
        data = run_query(session, settings, statement, moment, release).toArrow()
    except PySparkException as error:
        raise InvalidQuery(problem=_explained(error)) from error
    print_arrow(data, Format.JSON if as_json else form)


def read(
    table: str = typer.Argument(help="Full name, e.g. gold.mart_daily_metrics."),
    version: int | None = typer.Option(None, help="As of this version."),
    as_of: str | None = AS_OF,
    release: str | None = RELEASE,
    where: str | None = typer.Option(None, help="An SQL condition."),
    limit: int | None = typer.Option(None, min=1, help="At most so many rows."),
    form: Format = FORMAT,
    as_json: bool = JSON,
) -> None:
    """Read a table as it is, as it was, or as a release has it."""
    settings = load_settings()
    moment = parse_moment(as_of, "--as-of") if as_of else None
    number = time_travel.resolve_version(settings, table, version, moment, release)
    frame = time_travel.read(connect(settings), settings, table, number)
    data = _filtered(frame, where, limit)
    print_arrow(data.toArrow(), Format.JSON if as_json else form)


def _filtered(frame: DataFrame, where: str | None, limit: int | None) -> DataFrame:
    if where:
        try:
            frame = frame.where(where)
            _ = frame.schema
        except PySparkException as error:
            raise InvalidFilter(value=where, problem=_explained(error)) from error
    return frame.limit(limit) if limit else frame


def history(
    table: str = typer.Argument(help="Full name, e.g. gold.mart_daily_metrics."),
    limit: int = typer.Option(20, min=1, help="At most so many versions, the newest."),
    as_json: bool = JSON,
) -> None:
    """The versions of a table, and which of them can still be read."""
    rows = [asdict(version) for version in time_travel.history(load_settings(), table, limit)]
    if as_json:
        print_json(rows)
    else:
        print_rows(rows)


def tables(as_json: bool = JSON) -> None:
    """What is in the lakehouse now."""
    rows = [asdict(summary) for summary in inventory(load_settings())]
    if as_json:
        print_json(rows)
    else:
        print_rows(rows)


def _explained(error: PySparkException) -> str:
    """The engine's message without its error class, its plan and its stack."""
    text = str(error).strip().split("JVM stacktrace")[0]
    line = re.sub(r"^\[[A-Z_.]+\]\s*", "", text).splitlines()[0]
    return re.sub(r"\s*SQLSTATE: \w+.*$", "", line)
