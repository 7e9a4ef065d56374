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
from lakehouse.gate import BatchVerdict, Gate
from lakehouse.outcomes import Recorder
from lakehouse.settings import Settings
from lakehouse.tables import Table, bronze_table, registry
from lakehouse.timeframes import EPOCH, TIMEFRAMES
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


def is_behind(settings: Settings) -> bool:
    """Whether bronze has news, or a table is missing; no engine is needed to tell."""
    last = last_build(settings)
    if last is None or None in _versions(settings).values():
        return bool(bronze_versions(settings))
    return bool(find_arrivals(settings, last.versions, bronze_versions(settings)))


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
        is_first = last is None or full_refresh or None in _versions(settings).values()
        built = {} if last is None or is_first else last.versions
        arrivals = find_arrivals(settings, built, present)
        gated_until = EPOCH if last is None or is_first else last.built_at
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
    # Another process may have built since this session began; its tables need their names here.
    register_tables(session, settings)
    is_append = record_arrivals(session, settings, new.build_id, new.arrivals)
    for timeframe in TIMEFRAMES:
        delta.ensure_table(session, settings, bronze_table(timeframe))
    register_tables(session, settings)
    before = _versions(settings)
    variables = _variables(settings, new, full_refresh) | {"is_append": is_append}
    try:
        for layer in BUILT_LAYERS:
            with recorder.step("dbt", layer):
                run_dbt(session, settings, recorder, _dbt_command(layer, full_refresh), variables)
            for table in _tables_of(layer):
                with recorder.step("gate", table.full_name) as outcome:
                    rows, rejected = _gate(session, settings, recorder, new, table)
                    outcome.rows_in, outcome.rows_rejected = rows, rejected
                new.rows[table.full_name] = rows - rejected
    except BaseException:
        _put_back(session, settings, before)
        raise


def _dbt_command(layer: str, full_refresh: bool) -> list[str]:
    return ["run", "--select", layer, *(["--full-refresh"] if full_refresh else [])]


def _variables(settings: Settings, new: Build, full_refresh: bool) -> dict[str, Any]:
    recorded = ops.read(settings, "ops.arrivals").to_pylist()
    arrivals = [a for a in recorded if a["build_id"] == new.build_id and not full_refresh]
    return {
        "build_id": new.build_id,
        "built_at": f"{new.built_at:%Y-%m-%d %H:%M:%S.%f}",
        "since": _earliest(arrivals, "since"),
        "lookback_from": _earliest(arrivals, "lookback_from"),
        "provider_preference": list(settings.provider_preference),
    }


def _earliest(arrivals: list[dict[str, Any]], column: str) -> dict[str, str]:
    """By timeframe, the earliest time in that column of ops.arrivals."""
    earliest: dict[str, str] = {}
    for arrival in arrivals:
        time = f"{arrival[column]:%Y-%m-%d %H:%M:%S}"
        earliest[arrival["timeframe"]] = min(time, earliest.get(arrival["timeframe"], time))
    return earliest


def _tables_of(layer: str) -> list[Table]:
    return [table for table in registry().values() if table.layer == layer]


def _gate(
    session: SparkSession, settings: Settings, recorder: Recorder, new: Build, table: Table
) -> tuple[int, int]:
    """Check the rows that no gate has seen yet; those that fail leave the table as dead letters.

    How many rows were checked and rejected. Raises BatchQuarantined.
    """
    gate = Gate(table.full_name, settings)
    written = session.table(table.full_name).where(F.col("updated_at") > F.lit(new.gated_until))
    judged = gate.judge(gate.annotate(written.withColumn("batch_id", F.lit(new.build_id))))
    if not judged.verdicts:
        return 0, 0
    (verdict,) = judged.verdicts
    recorder.judged(judged.verdicts, gate.now)
    if verdict.rejected:
        new.dead_letters += write_dead_letters(judged, settings)
    if verdict.is_quarantined:
        raise quarantine_error(verdict, new.dead_letters)
    if verdict.rejected:
        rejected = judged.rows.where(F.size("reasons") > F.lit(0)).select(*table.keys)
        # As values: computed anew inside the MERGE, the gate's plan takes Sail minutes.
        delta.delete(session.createDataFrame(rejected.toArrow()), table.full_name, table.keys)
    return verdict.rows, verdict.rejected


def quarantine_error(verdict: BatchVerdict, letters: list[Path]) -> BatchQuarantined:
    """What a person is told when a gate refuses a whole batch."""
    return BatchQuarantined(
        table=verdict.table,
        subject=f"batch {verdict.batch_id}",
        rows=verdict.rows,
        rejected=verdict.rejected,
        percent=100 * verdict.share,
        tolerance=100 * verdict.tolerance,
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
