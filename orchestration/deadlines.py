"""From when on a run's deadline counts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk.definitions.deadline import BaseDeadlineReference


class RunCreated(BaseDeadlineReference):
    """The moment a run is created, whatever day it is for: a backfill of last year is not late.

    Airflow's own DAGRUN_QUEUED_AT means nearly the same, but on 3.3.2 a run that has it cannot be
    cleared.
    """

    def _evaluate_with(self, **_: Any) -> datetime:
        return datetime.now(UTC)
