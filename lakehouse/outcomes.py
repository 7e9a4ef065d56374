"""Failures are data: every step leaves a row in ops.outcomes, whether it went well or not."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from lakehouse import ops
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


@dataclass
class Recorder:
    """Collects what one run leaves behind; `flush` makes its outcomes durable in one commit."""

    settings: Settings
    run_id: str
    pending: list[dict[str, Any]] = field(default_factory=list)
    flushed: list[dict[str, Any]] = field(default_factory=list)
    verdicts: list[BatchVerdict] = field(default_factory=list)

    @contextmanager
    def step(self, step: str, subject: str) -> Iterator[Outcome]:
        """Time the step and note how it ended; an error is noted, made durable and raised on."""
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
            self.pending.append(row)
            log.debug("step", **row)
            if error:
                self.flush()

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
        rows, self.pending = self.pending, []
        ops.append(self.settings, "ops.outcomes", rows)
        self.flushed += rows

    @property
    def recorded(self) -> list[dict[str, Any]]:
        """Every outcome so far, as rows of ops.outcomes."""
        return [*self.flushed, *self.pending]
