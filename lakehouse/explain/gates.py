"""Which gates a row passed: that of its batch on the way into bronze, and those behind the builds
that wrote it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from lakehouse import ops
from lakehouse.explain.files import Row
from lakehouse.explain.origins import texts
from lakehouse.explain.versions import History
from lakehouse.settings import Settings

RESULTS = "ops.quality_results"
Check = tuple[str, str, datetime]  # batch_id, table, checked_at


def gates_of(settings: Settings, batches: Iterable[str], histories: list[History]) -> list[Row]:
    """A row for each gate, bronze first: table, batch_id, run_id, checked_at, expectations,
    rows_checked, and in `refused_for` and `warned_of` what rows of the batch broke, as
    {reason: rows}."""
    into_bronze = f"SELECT * FROM rows WHERE batch_id IN ({texts(batches)})"
    found = _summed_up(ops.query(settings, RESULTS, into_bronze))
    for history in histories:
        if history.span.table.layer != "bronze":
            found += _of_builds(settings, history)
    order = [history.span.table.full_name for history in histories]
    # Gates of one stage work side by side; which of them was first says nothing.
    return sorted(found, key=lambda gate: _sorted_by(order, gate))


def _sorted_by(order: list[str], gate: Row) -> tuple[int, datetime, str, str]:
    table = gate["table"]
    place = order.index(table) if table in order else -1
    return place, gate["checked_at"], table, gate["batch_id"]


def _of_builds(settings: Settings, history: History) -> list[Row]:
    """The gates that checked the row after each time that a build wrote it: the next one always
    does, for builds and their gates take turns."""
    written = {
        row["updated_at"]
        for version in history.versions
        for row in version.rows or []
        if row.get("updated_at")
    }
    if not written:
        return []
    table = texts([history.span.table.full_name])
    times = f'SELECT DISTINCT checked_at FROM rows WHERE "table" = {table} ORDER BY checked_at'
    checked = [row["checked_at"] for row in ops.query(settings, RESULTS, times)]
    wanted = {next((time for time in checked if time >= each), None) for each in written}
    results = ops.query(settings, RESULTS, f'SELECT * FROM rows WHERE "table" = {table}')
    return _summed_up(row for row in results if row["checked_at"] in wanted)


def _summed_up(results: Iterable[Row]) -> list[Row]:
    by_gate: dict[Check, list[Row]] = defaultdict(list)
    for row in results:
        by_gate[row["batch_id"], row["table"], row["checked_at"]].append(row)
    return [_gate(rows) for rows in by_gate.values()]


def _gate(results: list[Row]) -> Row:
    first = results[0]
    return {
        "table": first["table"],
        "batch_id": first["batch_id"],
        "run_id": first["run_id"],
        "checked_at": first["checked_at"],
        "expectations": len(results),
        "rows_checked": max(row["rows_checked"] for row in results),
        "refused_for": _broken(results, "fail"),
        "warned_of": _broken(results, "warn"),
    }


def _broken(results: list[Row], severity: str) -> dict[str, int]:
    return {
        row["reason"]: row["rows_unexpected"]
        for row in sorted(results, key=lambda row: str(row["reason"]))
        if row["severity"] == severity and not row["is_success"]
    }
