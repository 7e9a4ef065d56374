"""`lakehouse gaps`: what is absent and why, how much is there, and filling what can be filled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

import typer
from rich.console import Console

from lakehouse import pipeline
from lakehouse.backfill import Batch, Filled, Filling, FillRequest, Watcher
from lakehouse.cli.output import console, print_json, print_rows, say
from lakehouse.cli.progress import progress_shown
from lakehouse.errors import InvalidFilter
from lakehouse.gaps import GAP_CLASSES, OUTAGE, Gap, Summary, make_scope, summarise
from lakehouse.moments import parse_moment
from lakehouse.settings import Settings, load_settings

NOTHING = "Nothing to fill: no candle is absent that somebody could still be asked for."
COUNTS = ("expected", "present", "no_trade", "rejected", "outage", "not_fetched", "delisted")
EMPTY = "The ledger knows nothing of these: `lakehouse backfill` lands candles and keeps it."


def gaps(
    assets: str = typer.Option("", help="Asset pairs, comma-separated; all without it."),
    timeframes: str = typer.Option("", help="Of 1m,5m,15m,1h,4h,1d; all without it."),
    provider: str | None = typer.Option(None, help="Whose candles count; who is asked first."),
    classes: str = typer.Option("", "--class", help=f"Of {','.join(GAP_CLASSES)}."),
    start: str | None = typer.Option(None, "--from", help="First moment, UTC, inclusive."),
    end: str | None = typer.Option(None, "--to", help="Last moment, UTC, exclusive."),
    fill: bool = typer.Option(False, "--fill", help="Fetch what can be filled, and build."),
    dry_run: bool = typer.Option(False, "--dry-run", help="With --fill: only say what it asks."),
    no_build: bool = typer.Option(False, "--no-build", help="With --fill: land only."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Which expected candles are absent and why, and how much of each asset is there.

    A candle that any provider has is not absent. --fill asks --provider, or the settings' one, and
    then the others for what it could not give.
    """
    if (dry_run or no_build) and not fill:
        raise typer.BadParameter("--dry-run and --no-build need --fill")
    settings = load_settings()
    scope = make_scope(
        settings,
        assets=_split(assets),
        timeframes=_split(timeframes),
        start=parse_moment(start, "--from") if start else None,
        end=parse_moment(end, "--to") if end else None,
    )
    wanted = _classes(classes)
    if provider:
        settings.provider_named(provider)
    if not fill:
        _list(summarise(settings, scope, [provider] if provider else None), wanted, as_json)
        return
    request = FillRequest(scope, provider or settings.provider, wanted)
    if dry_run:
        _show_calls(settings, Filling(settings, request), as_json)
    else:
        _report(_filled(settings, request, not no_build, as_json), as_json)


def _split(text: str) -> list[str]:
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if text and not names:
        raise InvalidFilter(value=text, problem="it names nothing")
    return names


def _classes(text: str) -> tuple[str, ...]:
    names = _split(text) or list(GAP_CLASSES)
    if wrong := [name for name in names if name not in GAP_CLASSES]:
        raise InvalidFilter(value=wrong[0], problem=f"the classes are {', '.join(GAP_CLASSES)}")
    return tuple(names)


def _list(summaries: list[Summary], classes: tuple[str, ...], as_json: bool) -> None:
    if as_json:
        print_json([_entry(summary, classes) for summary in summaries])
    elif not summaries:
        say(EMPTY)
    else:
        shown = [gap for summary in summaries for gap in _of(summary.gaps, classes)]
        if shown:
            print_rows([_gap_row(gap) for gap in shown], title="Gaps")
        else:
            say("No gaps.")
        print_rows([_summary_row(summary) for summary in summaries], title="Coverage")


def _of(found: Iterable[Gap], classes: tuple[str, ...]) -> list[Gap]:
    return [gap for gap in found if gap.gap_class in classes]


def _gap_row(gap: Gap) -> dict[str, Any]:
    series = {"asset_pair": gap.asset_pair, "timeframe": gap.timeframe}
    times = {"from": _minute(gap.start), "to": _minute(gap.end)}
    return {**series, **_plain(gap), **times}


def _summary_row(summary: Summary) -> dict[str, Any]:
    pair = {"asset_pair": summary.asset_pair, "timeframe": summary.timeframe}
    counts = {name: getattr(summary, name) for name in COUNTS}
    return {**pair, **counts, "coverage_percent": summary.coverage_percent}


def _entry(summary: Summary, classes: tuple[str, ...]) -> dict[str, Any]:
    times = {"from": summary.start, "to": summary.end}
    found = [_plain(gap) for gap in _of(summary.gaps, classes)]
    return {**_summary_row(summary), **times, "gaps": found}


def _plain(gap: Gap) -> dict[str, Any]:
    return {
        "provider": gap.provider,
        "from": gap.start,
        "to": gap.end,
        "candles": gap.candles,
        "class": gap.gap_class,
        "detail": gap.detail,
    }


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


def _show_calls(settings: Settings, filling: Filling, as_json: bool) -> None:
    rows: list[dict[str, Any]] = []
    for provider in filling.order:
        request, plan = filling.plan(provider, "dry-run")
        sources = pipeline.sources_for(settings, request, is_dry=True)
        rows += [_call_row(batch, sources.calls_needed(provider, batch.request)) for batch in plan]
        filling.suppose(provider)
    if as_json:
        print_json(rows)
    elif rows:
        print_rows(rows, title="Would be fetched, if each provider gave all that it is asked for")
    else:
        _show_left(filling.report())
        say(NOTHING)


def _call_row(batch: Batch, calls: int) -> dict[str, Any]:
    return {
        "provider": batch.provider,
        "asset_pair": batch.asset_pair,
        "timeframe": batch.timeframe,
        "from": _minute(batch.start),
        "to": _minute(batch.end),
        "windows": len(batch.windows),
        "calls": calls,
        "candles": batch.expected,
    }


def _filled(settings: Settings, request: FillRequest, with_build: bool, as_json: bool) -> Filling:
    # Standard output is for the JSON alone.
    beside = Console(stderr=True, highlight=False) if as_json else console()

    def watching(plan: Sequence[Batch]) -> AbstractContextManager[Watcher]:
        return progress_shown(plan, beside)

    try:
        return pipeline.fill_gaps(settings, request, watching, with_build=with_build)
    except KeyboardInterrupt:
        say("Interrupted. What was landed stays; `lakehouse gaps --fill` goes on.")
        raise typer.Exit(1) from None


def _report(filling: Filling, as_json: bool) -> None:
    report = filling.report()
    if as_json:
        print_json([_filled_entry(filled) for filled in report])
    else:
        if filling.asked:
            print_rows([_filled_row(filled) for filled in report], title="Filled")
        _show_left(report)
        if not filling.asked:
            say(NOTHING)
    if any(gap.gap_class == OUTAGE for filled in report for gap, _ in filled.left):
        raise typer.Exit(1)


def _filled_row(filled: Filled) -> dict[str, Any]:
    return {
        "asset_pair": filled.asset_pair,
        "timeframe": filled.timeframe,
        "filled": sum(filled.by_provider.values()),
        "by": ", ".join(f"{name} {count:,}" for name, count in filled.by_provider.items()),
        "no_trade": filled.no_trade,
        "left": sum(gap.candles for gap, _ in filled.left),
    }


def _show_left(report: list[Filled]) -> None:
    rows = [
        {name: value for name, value in _gap_row(gap).items() if name != "detail"}
        | {"reason": reason}
        for filled in report
        for gap, reason in filled.left
    ]
    if rows:
        print_rows(rows, title="Could not be filled")


def _filled_entry(filled: Filled) -> dict[str, Any]:
    return {
        "asset_pair": filled.asset_pair,
        "timeframe": filled.timeframe,
        "filled": filled.by_provider,
        "no_trade": filled.no_trade,
        "left": [{**_plain(gap), "detail": reason} for gap, reason in filled.left],
    }
