"""Build silver and gold from what bronze brought, for spark-submit and Airflow.

An orchestrator may run the stages as steps: write one with dbt, gate it, go on with what reads it.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from typing import Any

from pyspark.sql import SparkSession

from lakehouse import builds, transform
from lakehouse.builds import Build
from lakehouse.cli import main as command_line
from lakehouse.engine import connect
from lakehouse.outcomes import Recorder
from lakehouse.settings import Settings
from lakehouse.tables import Table

log = logging.getLogger(__name__)

Step = Callable[[SparkSession, Settings, Recorder], Build]


def write(settings: Settings, stage: list[Table], run_id: str) -> dict[str, Any]:
    """Write the stage's tables from what passed the gates before them. Raises BuildFailed."""
    if builds.is_stage_up_to_date(settings, stage):
        return _nothing_new(stage)
    return _step(settings, run_id, lambda *where: builds.write_stage(*where, stage))


def gate(settings: Settings, stage: list[Table], run_id: str) -> dict[str, Any]:
    """Gate what was written to the stage's tables. Raises BatchQuarantined."""
    if builds.is_stage_gated(settings, stage):
        return _nothing_new(stage)
    return _step(settings, run_id, lambda *where: builds.gate_stage(*where, stage))


def build(settings: Settings, run_id: str) -> dict[str, Any]:
    """Write and gate all stages, slice by slice. Raises BuildFailed or BatchQuarantined."""
    return _step(settings, run_id, builds.build)


def test(settings: Settings, run_id: str) -> dict[str, Any]:
    """dbt's own tests over silver and gold as they stand. Raises BuildFailed."""
    recorder = Recorder(settings, run_id)
    command = ["test", "--select", "test_type:data"]
    with builds.build_lock(settings):
        transform.run_dbt(connect(settings), settings, recorder, command, {})
    tests = len(recorder.pending)
    recorder.flush()
    log.info("%d tests passed.", tests)
    return {"tests_passed": tests}


def _step(settings: Settings, run_id: str, step: Step) -> dict[str, Any]:
    recorder = Recorder(settings, run_id)
    try:
        done = step(connect(settings), settings, recorder)
    finally:
        _tell(recorder)
        recorder.write_data_docs()
    for arrival in done.arrivals:
        series = f"{arrival.asset_pair} {arrival.timeframe}"
        log.info("%s: news since %s", series, f"{arrival.since:%Y-%m-%d %H:%M}")
    for table, rows in done.rows.items():
        log.info("%s: %s rows written passed the gate", table, f"{rows:,}")
    return {
        "arrivals": len(done.arrivals),
        "rows": done.rows,
        "rows_rejected": done.rows_rejected,
        "dead_letters": [str(letter) for letter in done.dead_letters],
    }


def _tell(recorder: Recorder) -> None:
    """One line for each step that ran, dbt's models and tests among them."""
    for row in recorder.recorded:
        error = f": {row['error']}" if row["error"] else ""
        took = f"{row['status']} in {row['duration_seconds']:.1f} s"
        log.info("%s %s: %s%s", row["step"], row["subject"], took, error)


def _nothing_new(stage: list[Table]) -> dict[str, Any]:
    log.info("Nothing new for %s.", ", ".join(table.full_name for table in stage))
    return {"arrivals": 0, "rows": {}, "rows_rejected": 0, "dead_letters": []}


def main(argv: Sequence[str]) -> None:
    """`argv` may hold --full-refresh. Exit code 0: built; 1: something failed and is named."""
    command_line(["build", *argv])


if __name__ == "__main__":
    main(sys.argv[1:])
