"""Land candles in bronze: fetch them, gate them, publish what passes.

Under spark-submit the flags are those of `lakehouse backfill`; silver and gold are left to their
own jobs. An orchestrator runs the two halves as steps, for one asset at a time if it likes.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console

from lakehouse import pipeline
from lakehouse.backfill import BackfillRequest, make_request
from lakehouse.builds import quarantine_error
from lakehouse.cli import main as command_line
from lakehouse.cli.progress import Lines
from lakehouse.pipeline import Prepared, Start
from lakehouse.settings import Settings

log = logging.getLogger(__name__)


def wanted(settings: Settings, form: Mapping[str, Any], at: datetime) -> list[dict[str, Any]]:
    """What a form asks for: arguments of `make_request`, an entry for each asset.

    Days count back from `at`, so that every try of a run means the same days. Raises what
    `make_request` raises.
    """
    days = None if form["from"] else form["days"]
    request = make_request(
        settings,
        assets=form["assets"],
        timeframes=form["timeframes"],
        days=days,
        start=form["from"],
        end=form["to"],
        provider=form["provider"],
        now=at,
    )
    shared = {
        "timeframes": list(request.timeframes),
        "start": request.start and request.start.isoformat(),
        "end": request.start and request.end.isoformat(),
        "provider": request.provider,
        "force": form["force"],
    }
    return [{"assets": [asset_pair], **shared} for asset_pair in request.assets]


def describe(settings: Settings, wanted: Mapping[str, Any]) -> None:
    """Log what is missing of it and would be fetched."""
    request = make_request(settings, **wanted)
    prepared = pipeline.prepare(settings, request, Start.MISSING, is_dry=True)
    for batch in prepared.plan:
        series = f"{batch.asset_pair} {batch.timeframe} from {request.provider}"
        what = f"{batch.start:%Y-%m-%d %H:%M} to {batch.end:%Y-%m-%d %H:%M}"
        log.info("%s: %s, %d candles are missing", series, what, batch.expected)
    if not prepared.plan:
        log.info("%s: nothing is missing", ", ".join(request.assets))


def fetch(settings: Settings, request: BackfillRequest, run_id: str) -> dict[str, Any]:
    """Fetch what is missing of the request and leave it for `land` with the same run_id.

    Raises the first SourceError, once the others are fetched.
    """
    prepared = _prepared(settings, request, run_id)
    result = pipeline.fetch(settings, prepared, _lines())
    for _, error in result.failures:
        raise error
    return {"batches": len(prepared.plan), "rows_fetched": result.rows_fetched}


def land(settings: Settings, request: BackfillRequest, run_id: str) -> dict[str, Any]:
    """Gate what was fetched and publish it; what was not fetched, or was refused, is fetched now.

    Raises BatchQuarantined for the first batch that the gate refused, once the others have landed,
    or the first SourceError.
    """
    prepared = _prepared(settings, request, run_id)
    result = pipeline.run(settings, prepared, _lines(), with_build=False).result
    refused = [quarantine_error(verdict, result.dead_letters) for verdict in result.quarantined]
    for error in refused:
        log.error("%s", error)
    for error in (*refused, *(error for _, error in result.failures)):
        raise error
    return {
        "rows_fetched": result.rows_fetched,
        "rows_new": result.rows_new,
        "rows_rejected": result.rows_rejected,
        "dead_letters": [str(letter) for letter in result.dead_letters],
    }


def _prepared(settings: Settings, request: BackfillRequest, run_id: str) -> Prepared:
    prepared = pipeline.prepare(settings, request, Start.MISSING, run_id=run_id)
    if not prepared.plan:
        log.info("Nothing is missing: everything that was asked for has landed before.")
    return prepared


def _lines() -> Lines:
    return Lines(Console(highlight=False))


def main(argv: Sequence[str]) -> None:
    """Exit code 0: landed; 1: something failed and is named; 2: wrong usage."""
    command_line(["backfill", *argv, "--no-build"])


if __name__ == "__main__":
    main(sys.argv[1:])
