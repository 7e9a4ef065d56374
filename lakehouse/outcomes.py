"""Failures are data: every step leaves a row in ops.outcomes, whether it went well or not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog

from lakehouse import ops
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
    """Collects the outcomes of one run; `flush` makes them durable in one commit."""

    settings: Settings
    run_id: str
    pending: list[dict[str, Any]] = field(default_factory=list)

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

    def flush(self) -> None:
        rows, self.pending = self.pending, []
        ops.append(self.settings, "ops.outcomes", rows)
