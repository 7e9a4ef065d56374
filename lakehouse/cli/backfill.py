"""`lakehouse backfill`: from an exchange, or from files, to gold."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from lakehouse import pipeline
from lakehouse.backfill import Batch, make_request
from lakehouse.cli.output import console, print_json, print_rows, say
from lakehouse.cli.progress import progress_shown
from lakehouse.errors import InvalidFilter
from lakehouse.inventory import TableSummary, inventory
from lakehouse.pipeline import Done, Prepared, Start
from lakehouse.settings import Settings, load_settings
from lakehouse.timeframes import expected_candles

NEXT = (
    'lakehouse sql "select * from gold.mart_daily_metrics order by asset_pair, date"',
    "lakehouse history silver.market_data_enriched",
    "lakehouse dlq list",
)


def backfill(
    assets: str = typer.Option("", help="Asset pairs, comma-separated, e.g. BTCUSD,ETHUSD."),
    timeframes: str = typer.Option("", help="Of 1m,5m,15m,1h,4h,1d; all without it."),
    days: int | None = typer.Option(None, help="The last so many complete UTC days."),
    start: str | None = typer.Option(None, "--from", help="First moment, UTC, inclusive."),
    end: str | None = typer.Option(None, "--to", help="Last moment, UTC, exclusive."),
    provider: str | None = typer.Option(None, help="Who is asked; see conf/lakehouse.yml."),
    files: str | None = typer.Option(None, help="Land these files instead, e.g. 'dumps/*.zip'."),
    window: str | None = typer.Option(None, help="Unit of progress, e.g. 6h or 1d."),
    concurrency: int | None = typer.Option(None, help="Calls at a time."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Only say what would be fetched."),
    resume: bool = typer.Option(False, "--resume", help="Go on with the last unfinished run."),
    restart: bool = typer.Option(False, "--restart", help="Begin the unfinished run anew."),
    force: bool = typer.Option(False, "--force", help="Fetch again what is landed already."),
    no_build: bool = typer.Option(False, "--no-build", help="Land only; silver and gold wait."),
    as_json: bool = typer.Option(False, "--json", help="Print the result as JSON."),
) -> None:
    """Land candles in bronze and build silver and gold from them.

    Without --days or --from it fetches only what is missing up to now.
    """
    if resume and restart:
        raise typer.BadParameter("--resume and --restart exclude each other")
    if not (assets or resume or files):
        raise typer.BadParameter("--assets is needed, e.g. --assets BTCUSD,ETHUSD")
    settings = load_settings()
    what: dict[str, Any] = {
        "assets": _split(assets),
        "timeframes": _split(timeframes),
        "provider": provider,
    }
    if files:
        from lakehouse.file_backfill import backfill_files

        done = backfill_files(settings, files, with_build=not no_build, **what)
        _report(settings, done, as_json)
        return
    when: dict[str, Any] = {"days": days, "start": start, "end": end, "window": window}
    request = make_request(settings, **what, **when, concurrency=concurrency, force=force)
    mode = Start.RESUME if resume else Start.RESTART if restart else Start.MISSING
    prepared = pipeline.prepare(settings, request, mode, provider=provider, is_dry=dry_run)
    if dry_run:
        _show_plan(settings, prepared, as_json)
    else:
        _report(settings, _run(settings, prepared, not no_build, as_json), as_json)


def _split(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if text and not names:
        raise InvalidFilter(value=text, problem="it names nothing")
    return names


def _run(settings: Settings, prepared: Prepared, with_build: bool, as_json: bool) -> Done:
    # Standard output is for the JSON alone.
    beside = Console(stderr=True, highlight=False) if as_json else console()
    try:
        with progress_shown(prepared.plan, beside) as watcher:
            return pipeline.run(settings, prepared, watcher, with_build=with_build)
    except KeyboardInterrupt:
        say("Interrupted. What was landed stays; `lakehouse backfill --resume` goes on.")
        raise typer.Exit(1) from None


def _show_plan(settings: Settings, prepared: Prepared, as_json: bool) -> None:
    sources = pipeline.sources_for(settings, prepared.request, is_dry=True)
    rows = [
        _planned(batch, sources.calls_needed(batch.provider, batch.request))
        for batch in prepared.plan
    ]
    total = {
        "asset_pair": "total",
        "timeframe": "",
        "from": "",
        "to": "",
        **{name: sum(int(row[name]) for row in rows) for name in ("windows", "calls", "candles")},
    }
    if as_json:
        print_json(rows)
    else:
        print_rows([*rows, total], title=f"Would be fetched from {prepared.request.provider}")


def _planned(batch: Batch, calls: int) -> dict[str, str | int]:
    return {
        "asset_pair": batch.asset_pair,
        "timeframe": batch.timeframe,
        "from": f"{batch.start:%Y-%m-%d %H:%M}",
        "to": f"{batch.end:%Y-%m-%d %H:%M}",
        "windows": len(batch.windows),
        "calls": calls,
        "candles": expected_candles(batch.timeframe, batch.start, batch.end),
    }


def _report(settings: Settings, done: Done, as_json: bool) -> None:
    result = done.result
    if as_json:
        print_json([_as_row(done)])
    else:
        say(
            f"Run {done.run_id}: {result.rows_fetched:,} candles fetched, "
            f"{result.rows_new:,} new in bronze, {result.rows_rejected:,} rejected."
        )
        _show_inventory(inventory(settings))
        _show_problems(done)
        say("\n".join(["\nTry next:", *(f"  {command}" for command in NEXT)]))
    if not done.is_success:
        raise typer.Exit(1)


def _as_row(done: Done) -> dict[str, object]:
    return {
        "run_id": done.run_id,
        "rows_fetched": done.result.rows_fetched,
        "rows_new": done.result.rows_new,
        "rows_rejected": done.result.rows_rejected,
        "failures": [str(error) for _, error in done.result.failures],
        "quarantined": [verdict.batch_id for verdict in done.result.quarantined],
        "dead_letters": [str(path) for path in done.result.dead_letters],
    }


def _show_inventory(tables: list[TableSummary]) -> None:
    shown = Table("table", title="In the lakehouse now", title_justify="left", header_style="bold")
    shown.add_column("rows", justify="right")
    shown.add_column("from")
    shown.add_column("to")
    for table in tables:
        row = asdict(table)
        times = (str(row[name] or "")[:16] for name in ("first", "last"))
        shown.add_row(table.table, f"{table.rows:,}", *times)
    console().print(shown)


def _show_problems(done: Done) -> None:
    for batch, error in done.result.failures:
        say(f"[red]Failed:[/] {batch.asset_pair} {batch.timeframe}: {error}")
    for verdict in done.result.quarantined:
        reasons = ", ".join(f"{reason} ({rows})" for reason, rows in verdict.reasons.items())
        say(
            f"[red]Quarantined:[/] {verdict.asset_pair} {verdict.timeframe}, batch "
            f"{verdict.batch_id}: {verdict.rejected:,} of {verdict.rows:,} rows failed the gate: "
            f"{reasons}. Nothing of it was published."
        )
    if done.result.dead_letters:
        count = len(done.result.dead_letters)
        say(f"{count} dead letters were written; `lakehouse dlq list` explains them.")
