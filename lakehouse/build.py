"""Building silver and gold from what bronze brought: dbt transforms, gates judge what it wrote."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from deltalake import DeltaTable
from filelock import FileLock
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakehouse import delta, ops
from lakehouse.arrivals import (
    Arrival,
    bronze_versions,
    find_arrivals,
    last_build,
    record_arrivals,
)
from lakehouse.dead_letters import write_dead_letters
from lakehouse.engine import register_tables
from lakehouse.errors import BatchQuarantined
from lakehouse.gate import BatchVerdict, Gate, quality_rows
from lakehouse.outcomes import Recorder
from lakehouse.settings import Settings
from lakehouse.tables import Table, registry
from lakehouse.timeframes import EPOCH
from lakehouse.transform import run_dbt

BUILT_LAYERS = ("silver", "gold")


@dataclass
class Build:
    """One build. `rows` counts what was written to each table."""

    build_id: str
    built_at: datetime
    # What earlier builds wrote was gated by them; one that was killed left rows that were not.
    gated_until: datetime
    arrivals: list[Arrival]
    rows: dict[str, int] = field(default_factory=dict)
    dead_letters: list[Path] = field(default_factory=list)


def build(
    session: SparkSession, settings: Settings, recorder: Recorder, *, full_refresh: bool = False
) -> Build:
    """Bring silver and gold up to bronze. Without news in bronze, nothing is written.

    Raises BuildFailed if dbt fails, BatchQuarantined if a gate refuses what was built; then the
    tables are put back as they were.
    """
    lock = settings.lake / ".services" / "build.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(lock):
        present, last = bronze_versions(settings), last_build(settings)
        is_first = last is None or full_refresh
        built = {} if last is None or full_refresh else last.versions
        arrivals = find_arrivals(settings, built, present)
        gated_until = EPOCH if last is None or full_refresh else last.built_at
        new = Build(f"build-{uuid.uuid4().hex[:12]}", ops.now(), gated_until, arrivals)
        if arrivals:
            _build(session, settings, recorder, new, full_refresh=is_first)
            versions = json.dumps(present, sort_keys=True)
            row = {"build_id": new.build_id, "bronze_versions": versions, "built_at": new.built_at}
            ops.append(settings, "ops.builds", [row])
        recorder.flush()
    return new


def _build(
    session: SparkSession,
    settings: Settings,
    recorder: Recorder,
    new: Build,
    *,
    full_refresh: bool,
) -> None:
    record_arrivals(session, settings, new.build_id, new.arrivals)
    register_tables(session, settings)
    before = _versions(settings)
    variables = _variables(settings, new)
    try:
        for layer in BUILT_LAYERS:
            with recorder.step("dbt", layer):
                run_dbt(session, settings, recorder, _dbt_command(layer, full_refresh), variables)
            for table in _tables_of(layer):
                with recorder.step("gate", table.full_name) as outcome:
                    verdict = _gate(session, settings, recorder, new, table)
                    outcome.rows_in, outcome.rows_rejected = verdict.rows, verdict.rejected
                new.rows[table.full_name] = verdict.rows - verdict.rejected
    except BaseException:
        _put_back(session, settings, before)
        raise


def _dbt_command(layer: str, full_refresh: bool) -> list[str]:
    return ["run", "--select", layer, *(["--full-refresh"] if full_refresh else [])]


def _variables(settings: Settings, new: Build) -> dict[str, Any]:
    return {
        "build_id": new.build_id,
        "built_at": f"{new.built_at:%Y-%m-%d %H:%M:%S.%f}",
        "since_min": f"{min(arrival.since for arrival in new.arrivals):%Y-%m-%d %H:%M:%S}",
        "provider_preference": list(settings.provider_preference),
    }


def _tables_of(layer: str) -> list[Table]:
    return [table for table in registry().values() if table.layer == layer]


def _gate(
    session: SparkSession, settings: Settings, recorder: Recorder, new: Build, table: Table
) -> BatchVerdict:
    """Check the rows this build wrote to the table; those that fail leave it as dead letters."""
    gate = Gate(table.full_name, settings)
    written = session.table(table.full_name).where(F.col("updated_at") > F.lit(new.gated_until))
    annotated = gate.annotate(written.withColumn("batch_id", F.lit(new.build_id)))
    (verdict,) = gate.judge(annotated) or [BatchVerdict.empty(table.full_name, new.build_id)]
    ops.append(settings, "ops.quality_results", quality_rows([verdict], recorder.run_id))
    if verdict.rejected:
        new.dead_letters += write_dead_letters(annotated, [verdict], table.full_name, settings)
    if verdict.is_quarantined:
        raise quarantine_error(settings, table, verdict, new.dead_letters)
    if verdict.rejected:
        delta.delete(annotated.where(F.size("reasons") > 0), table.full_name, table.keys)
    return verdict


def quarantine_error(
    settings: Settings, table: Table, verdict: BatchVerdict, letters: list[Path]
) -> BatchQuarantined:
    tolerance = settings.tolerance if table.tolerance is None else table.tolerance
    return BatchQuarantined(
        table=table.full_name,
        subject=f"batch {verdict.batch_id}",
        rows=verdict.rows,
        rejected=verdict.rejected,
        percent=100 * verdict.rejected / verdict.rows,
        tolerance=100 * tolerance,
        reasons=", ".join(f"{reason} ({n})" for reason, n in verdict.reasons.items()),
        dead_letters=", ".join(str(letter) for letter in letters),
    )


def _versions(settings: Settings) -> dict[str, int | None]:
    paths = {
        t.full_name: t.path(settings.lake) for layer in BUILT_LAYERS for t in _tables_of(layer)
    }
    return {
        name: DeltaTable(str(path)).version() if DeltaTable.is_deltatable(str(path)) else None
        for name, path in paths.items()
    }


def _put_back(session: SparkSession, settings: Settings, before: dict[str, int | None]) -> None:
    for name, version in before.items():
        path = registry()[name].path(settings.lake)
        if not DeltaTable.is_deltatable(str(path)):
            continue
        table = DeltaTable(str(path))
        if version is None:
            table.delete()
        elif table.version() != version:
            table.restore(version)
