"""`lakehouse explain`: the history of a row, for a person or as JSON."""

from __future__ import annotations

import json
from typing import Any

import typer

from lakehouse.cli.output import print_json, print_rows, readable, say
from lakehouse.explain import as_object
from lakehouse.explain import explain as story_of
from lakehouse.moments import parse_moment
from lakehouse.settings import load_settings

TABLE = typer.Argument(help="Full name, e.g. silver.market_data_enriched.")
ASSET = typer.Argument(help="Asset pair, or symbol of a streamed table: BTCUSD, BINANCE:BTCUSDT.")
TIME = typer.Argument(help="Time of the row, UTC: 2026-01-03 or 2026-01-03T05:00.")
JSON = typer.Option(False, "--json", help="Print JSON.")
MOST_CHANGES, MOST_VALUES = 3, 8
MEASURES = ("open", "high", "low", "close", "volume")
# Of a letter's record; the letter itself says the same of all.
CONTEXT = ("provider", "batch_id", "source", "raw")
TIMES = {"date": "%Y-%m-%d", "month": "%Y-%m"}
KEYS = ("table", "asset_pair", "symbol", "timeframe", "timestamp", "date", "month", "window_start")
CIRCUMSTANCES = ("created_at", "updated_at")
Row = dict[str, Any]


def explain(
    table: str = TABLE,
    asset: str = ASSET,
    time: str = TIME,
    timeframe: str | None = typer.Option(None, help="Where the table has a row for each."),
    as_json: bool = JSON,
) -> None:
    """Where a row came from, what it passed, how it changed, what depends on it; or why it is not
    there."""
    moment = parse_moment(time, "TIME")
    story = as_object(story_of(load_settings(), table, asset, moment, timeframe))
    if as_json:
        print_json([story])
        return
    _tell(story)


def _tell(story: Row) -> None:
    say(f"{story['row']['table']} {_place(story['row'])}\n{story['verdict']}")
    absent = [*map(_gap, story["gaps"]), *map(_letter, story["dead_letters"])]
    _section("Why it is not there, or was not at first", absent)
    _tell_origin(story["bronze"], story["row"])
    _section("Which gates it met", [_gate(gate) for gate in story["gates"]])
    versions = [_version(h, v) for h in story["histories"] for v in h["versions"]]
    _section("Every version of it", versions)
    _section("What silver said before", [_superseded(row, story) for row in story["superseded"]])
    _section("What depends on it", [_dependent(row, story) for row in story["dependents"]])
    _section("What it says now", [{"values": _values(row)} for row in story["now"]])


def _section(title: str, rows: list[Row]) -> None:
    if rows:
        say("")
        print_rows(rows, title)


def _place(row: Row) -> str:
    """Asset, timeframe and time of a row, as short as they can be said."""
    *named, time = [value for name, value in row.items() if name != "table" and value is not None]
    form = next((form for name, form in TIMES.items() if name in row), "%Y-%m-%d %H:%M")
    return " ".join([*named, f"{time:{form}}"])


def _gap(gap: Row) -> Row:
    first, last = readable(gap["gap_start"]), readable(gap["gap_end"])
    return {
        "what": f"gap: {gap['gap_class']}",
        "of": gap["provider"],
        "why": gap["detail"],
        "known_since": gap["recorded_at"],
        "row_as_it_arrived": f"none from {first} to {last}",
    }


def _letter(letter: Row) -> Row:
    kind = "discarded letter" if letter["is_discarded"] else "dead letter"
    return {
        "what": f"{kind} {letter['letter'][-8:]}",
        "of": letter["record"].get("provider") or letter["table"],
        "why": letter["reason"],
        "known_since": letter["written_at"],
        "row_as_it_arrived": _arrived(letter["record"]),
    }


def _arrived(record: Row) -> str:
    raw = record.get("raw")
    told = {name: record[name] for name in record if name not in (*KEYS, *CONTEXT)}
    values = ", ".join(f"{name} {'null' if v is None else readable(v)}" for name, v in told.items())
    return values if raw is None else f"{values}; raw {json.dumps(raw)}"


def _tell_origin(bronze: Row, named: Row) -> None:
    # What names the row is not said of its only candle again.
    is_one = all(row.get("timestamp") == named.get("timestamp", "") for row in bronze["rows"])
    left_out = ("table", *(("timeframe", "timestamp") if is_one else ()))
    _section("Where it came from", [_tail(row, left_out) for row in bronze["rows"]])
    for call in bronze["calls"]:
        say(f"{call['batch_id']} of run {call['run_id']} came from {call['source']}")
    attempts = [_without(row, ("timeframe", "recorded_at")) for row in bronze["attempts"]]
    _section("Who was asked for it", attempts)
    _section("Its micro-batches", [_without(row, ("offsets",)) for row in bronze["micro_batches"]])


def _tail(row: Row, left_out: tuple[str, ...]) -> Row:
    """The row with what names its batch at its end."""
    batch = ("batch_id", "ingested_at")
    return {**_without(row, (*left_out, *batch)), **{name: row[name] for name in batch}}


def _without(row: Row, names: tuple[str, ...]) -> Row:
    return {name: value for name, value in row.items() if name not in names}


def _gate(gate: Row) -> Row:
    broken = {"refused_in_batch": gate["refused_for"], "warned_in_batch": gate["warned_of"]}
    counted = {
        name: ", ".join(f"{reason} ({rows:,})" for reason, rows in reasons.items())
        for name, reasons in broken.items()
    }
    names = ("table", "batch_id", "checked_at", "rows_checked", "expectations")
    return {**{name: gate[name] for name in names}, **counted}


def _version(history: Row, version: Row) -> Row:
    changed = [
        f"{name} {readable(before)} → {readable(after)}"
        for name, (before, after) in version["changes"].items()
    ]
    more = len(changed) - MOST_CHANGES
    told = changed[:MOST_CHANGES] + ([f"{more} more"] if more > 0 else [])
    return {
        "table": history["row"]["table"],
        "version": version["version"],
        "committed_at": version["committed_at"],
        "what": ": ".join([version["what"], *([", ".join(told)] if told else [])]),
        "in_releases": ", ".join(version["releases"]),
    }


def _superseded(row: Row, story: Row) -> Row:
    now = next((h["now"][0] for h in story["histories"] if _is_of_silver(h)), row)
    told = [
        f"{name} {readable(row[name])}"
        for name, value in now.items()
        if name not in CIRCUMSTANCES and name in row and row[name] != value
    ]
    more = len(told) - MOST_VALUES
    said = told[:MOST_VALUES] + ([f"{more} more"] if more > 0 else [])
    known = {name: row[name] for name in ("known_from", "known_until")}
    return {**known, "said_otherwise": ", ".join(said)}


def _is_of_silver(history: Row) -> bool:
    is_silver = history["row"]["table"].startswith("silver.")
    return is_silver and bool(history["now"]) and set(MEASURES) <= history["now"][0].keys()


def _dependent(row: Row, story: Row) -> Row:
    now = next((h["now"] for h in story["histories"] if h["row"] == row), None)
    says = "; ".join(_values(each) for each in now or ())
    without = "no such row" if now is not None else "made without it"
    return {"table": row["table"], "row": _place(row), "says_now": says or without}


def _values(row: Row) -> str:
    """The row's values as text; what names the row is left out, and what is null is counted."""
    told = {name: value for name, value in row.items() if name not in (*KEYS, *CIRCUMSTANCES)}
    known = [f"{name} {readable(value)}" for name, value in told.items() if value is not None]
    nulls = len(told) - len(known)
    return ", ".join([*known, *([f"{nulls} null"] if nulls else [])])
