"""A build: silver and gold as one, brought up to bronze or left as they were."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from deltalake import DeltaTable
from filelock import FileLock
from pyspark.sql import SparkSession

from lakehouse import delta, ops
from lakehouse.builds.arrivals import (
    Arrival,
    Versions,
    bronze_versions,
    find_arrivals,
    last_build,
    record_arrivals,
)
from lakehouse.builds.gating import Gated, gate_table
from lakehouse.builds.slices import Slice, slices
from lakehouse.engine import register_tables
from lakehouse.outcomes import Recorder
from lakehouse.settings import Settings
from lakehouse.tables import Table, bronze_table, registry
from lakehouse.timeframes import EPOCH, TIMEFRAMES
from lakehouse.transform import BUILT_LAYERS, run_dbt, stages


@dataclass
class Build:
    """One build. `rows` counts what was written to each table and passed its gate."""

    build_id: str
    built_at: datetime
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
        present, last, before = bronze_versions(settings), last_build(settings), _versions(settings)
        is_first = last is None or full_refresh or None in before.values()
        built = {} if last is None or is_first else last.versions
        arrivals = find_arrivals(settings, built, present)
        new = Build(f"build-{uuid.uuid4().hex[:12]}", ops.now(), arrivals)
        if arrivals:
            # What earlier builds wrote was gated by them; a killed one left rows that were not.
            gated_until = EPOCH if last is None or is_first else last.built_at
            if is_first:
                # Until it is done, the tables hold a part; who is killed leaves that to be known.
                _note(settings, new, {})
            builder = Builder(session, settings, recorder, new, gated_until)
            try:
                builder.run(is_first)
            except BaseException:
                _put_back(settings, before)
                raise
            _note(settings, new, present)
        recorder.flush()
    return new


def _note(settings: Settings, new: Build, versions: Versions) -> None:
    taken_in = json.dumps(versions, sort_keys=True)
    row = {"build_id": new.build_id, "bronze_versions": taken_in, "built_at": new.built_at}
    ops.append(settings, "ops.builds", [row])


@dataclass
class Builder:
    """Carries a build out, slice by slice. Rows updated since `gated_until` await their gate."""

    session: SparkSession
    settings: Settings
    recorder: Recorder
    new: Build
    gated_until: datetime

    def run(self, full_refresh: bool) -> None:
        # Another process may have built since this session began; its tables need their names here.
        register_tables(self.session, self.settings)
        for timeframe in TIMEFRAMES:
            delta.ensure_table(self.session, self.settings, bronze_table(timeframe))
        order = stages(self.settings)
        for part in slices(self.session, self.settings, self.new.arrivals):
            self._take_in(part, order, full_refresh and part.is_first)

    def _take_in(self, part: Slice, order: list[list[Table]], full_refresh: bool) -> None:
        arrived_as = f"{self.new.build_id}-{part.number}"
        built_at = ops.now()
        recorded = record_arrivals(self.session, self.settings, arrived_as, part.arrivals)
        variables = {
            "build_id": arrived_as,
            "built_at": f"{built_at:%Y-%m-%d %H:%M:%S.%f}",
            "until": f"{part.until:%Y-%m-%d %H:%M:%S}" if part.until else "",
            "since": {} if full_refresh else recorded.earliest("since"),
            "lookback_from": {} if full_refresh else recorded.earliest("lookback_from"),
            "is_append": recorded.is_all_new,
            "provider_preference": list(self.settings.provider_preference),
        }
        flags = ["--full-refresh"] if full_refresh else []
        for stage in order:
            self._transform(stage, flags, variables)
            self._gate(stage)
        self.new.built_at = self.gated_until = built_at

    def _transform(self, stage: list[Table], flags: list[str], variables: dict[str, Any]) -> None:
        names = [table.name for table in stage]
        with self.recorder.step("dbt", " ".join(names)):
            command = ["run", *flags, "--select", *names]
            run_dbt(self.session, self.settings, self.recorder, command, variables)

    def _gate(self, stage: list[Table]) -> None:
        # Each gate mostly waits for the engine.
        with ThreadPoolExecutor(len(stage)) as pool:
            for table, gated in zip(stage, pool.map(self._gate_table, stage), strict=True):
                passed = gated.rows - gated.rejected
                self.new.rows[table.full_name] = self.new.rows.get(table.full_name, 0) + passed
                self.new.dead_letters += gated.dead_letters

    def _gate_table(self, table: Table) -> Gated:
        with self.recorder.step("gate", table.full_name) as outcome:
            gated = gate_table(
                self.session,
                self.settings,
                self.recorder,
                table,
                self.gated_until,
                self.new.build_id,
            )
            outcome.rows_in, outcome.rows_rejected = gated.rows, gated.rejected
        return gated


def _versions(settings: Settings) -> dict[str, int | None]:
    paths = {
        name: table.path(settings.lake)
        for name, table in registry().items()
        if table.layer in BUILT_LAYERS
    }
    return {
        name: DeltaTable(str(path)).version() if DeltaTable.is_deltatable(str(path)) else None
        for name, path in paths.items()
    }


def _put_back(settings: Settings, before: dict[str, int | None]) -> None:
    # Gold first: a candle that gold holds and silver does not would be appended to gold again.
    for name, version in reversed(before.items()):
        path = registry()[name].path(settings.lake)
        if not DeltaTable.is_deltatable(str(path)):
            continue
        table = DeltaTable(str(path))
        if version is None:
            table.delete()
        elif table.version() != version:
            table.restore(version)
