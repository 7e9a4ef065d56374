"""Backfill runs: their beginning, their end, and which one `--resume` goes on with."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from lakehouse import ops
from lakehouse.backfill.request import BackfillRequest
from lakehouse.errors import NothingToResume
from lakehouse.settings import Settings

UNFINISHED = {"running", "failed"}


def new_run_id() -> str:
    """An id that sorts by time."""
    return f"{ops.now():%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"


def last_unfinished(
    settings: Settings, matches: Callable[[BackfillRequest], bool]
) -> tuple[str, BackfillRequest]:
    """The latest run that began and did not finish. Raises NothingToResume."""
    latest: dict[str, dict[str, Any]] = {}
    for row in sorted(ops.read(settings, "ops.runs").to_pylist(), key=lambda r: r["recorded_at"]):
        latest[row["run_id"]] = row
    for row in sorted(latest.values(), key=lambda row: row["recorded_at"], reverse=True):
        request = BackfillRequest.from_json(row["request"])
        if row["status"] in UNFINISHED and matches(request):
            return row["run_id"], request
    raise NothingToResume()


def note(settings: Settings, run_id: str, status: str, request: BackfillRequest) -> None:
    """Note that a run is now running, finished, failed or abandoned."""
    row = {
        "run_id": run_id,
        "status": status,
        "request": request.to_json(),
        "recorded_at": ops.now(),
    }
    ops.append(settings, "ops.runs", [row])
