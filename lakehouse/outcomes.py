"""Failures are data: every step leaves a row in ops.outcomes, whether it went well or not."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any

import structlog

from lakehouse import ops
from lakehouse.commits import commits_after, version_of
from lakehouse.gate import BatchVerdict, quality_rows, write_data_docs
from lakehouse.settings import Settings

log = structlog.get_logger(__name__)


@dataclass
class Outcome:
    """What a step says of itself while it runs."""

    rows_in: int | None = None
    rows_out: int | None = None
    rows_rejected: int | None = None
    version: int | None = None

    def wrote(self, table: Path, rows: int) -> None:
        """Say that the step is done, and so many rows of it are in the Delta table there. Its
        version is then the present one; a step that wrote nothing has none."""
        self.rows_out = rows
        self.version = version_of(table) if rows else None


def written_since(table: Path, version: int | None) -> dict[str, int | None]:
    """`rows_out` and `version` of a step before which the Delta table stood at `version`, None
    being before its first; for whoever is the table's only writer."""
    rows = [commit.rows_written or 0 for commit in commits_after(table, version)]
    return {"rows_out": sum(rows), "version": version_of(table) if any(rows) else None}


@dataclass
class Recorder:
    """Collects what one run leaves behind; `flush` makes its outcomes durable in one commit."""

    settings: Settings
    run_id: str
    pending: list[dict[str, Any]] = field(default_factory=list)
    flushed: list[dict[str, Any]] = field(default_factory=list)
    verdicts: list[BatchVerdict] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock, repr=False)

    @contextmanager
    def step(self, step: str, subject: str) -> Iterator[Outcome]:
        """Time the step and note how it ended; an error is noted, made durable and raised on."""
        try:
            with self.noted(step, subject) as outcome:
                yield outcome
        except BaseException:
            self.flush()
            raise

    @contextmanager
    def noted(self, step: str, subject: str) -> Iterator[Outcome]:
        """The same for a step of many that may fail together, in any thread: a flush of all of
        them makes their errors durable."""
        outcome, started_at, clock = Outcome(), ops.now(), time.monotonic()
        error: str | None = None
        try:
            yield outcome
        except BaseException as problem:
            error = f"{type(problem).__name__}: {problem}"
            raise
        finally:
            row = {
                "run_id": self.run_id,
                "step": step,
                "subject": subject,
                "status": "error" if error else "success",
                "started_at": started_at,
                "duration_seconds": time.monotonic() - clock,
                "error": error,
                **vars(outcome),
            }
            with self._lock:
                self.pending.append(row)
            log.debug("step", **row)

    def judged(self, verdicts: Sequence[BatchVerdict], checked_at: datetime) -> None:
        """Note what a gate found, in ops.quality_results and for the run's Data Docs."""
        self.verdicts += verdicts
        results = quality_rows(verdicts, self.run_id, checked_at)
        ops.append(self.settings, "ops.quality_results", results)

    def write_data_docs(self) -> Path | None:
        """GX's pages of what the run's gates found, where they are wanted; the path of their
        index."""
        if not (self.verdicts and self.settings.data_docs):
            return None
        return write_data_docs(self.verdicts, self.settings.lake, self.run_id)

    def flush(self) -> None:
        with self._lock:
            rows, self.pending = self.pending, []
        ops.append(self.settings, "ops.outcomes", rows)
        self.flushed += rows

    @property
    def recorded(self) -> list[dict[str, Any]]:
        """Every outcome so far, as rows of ops.outcomes."""
        return [*self.flushed, *self.pending]
