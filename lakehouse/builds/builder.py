"""The builder: has dbt write stages of tables, slice by slice, and has each gated."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from lakehouse import delta, ops
from lakehouse.builds.appended import appended_tables
from lakehouse.builds.arrivals import SILVER, Arrival, Recorded, record_arrivals
from lakehouse.builds.before import (
    NOTHING,
    SUPERSEDED,
    Known,
    add_missing_columns,
    is_from,
    known,
)
from lakehouse.builds.gating import Gated, gate_table
from lakehouse.builds.slices import Slice, slices
from lakehouse.checkpoint_hints import forget_checkpoint_hints
from lakehouse.commits import version_of
from lakehouse.engine import register_tables
from lakehouse.model_columns import lacking_columns
from lakehouse.outcomes import Recorder
from lakehouse.settings import Settings
from lakehouse.tables import Table, bronze_table
from lakehouse.timeframes import EPOCH, TIMEFRAMES
from lakehouse.transform import run_dbt

Stage = list[Table]


@dataclass
class Build:
    """One build. `rows` counts what was written to each table and passed its gate."""

    build_id: str = field(default_factory=lambda: f"build-{uuid.uuid4().hex[:12]}")
    built_at: datetime = field(default_factory=ops.now)
    arrivals: list[Arrival] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)
    rows_rejected: int = 0
    dead_letters: list[Path] = field(default_factory=list)


@dataclass
class Builder:
    """Carries a build out. Rows that a table got after its `gated_until` await their gate.

    `refreshed` are the versions that a refresh of tables keeps the times of rows from; `lacking`
    the columns that those of them, and of what is `known`, are older than.
    """

    session: SparkSession
    settings: Settings
    recorder: Recorder
    new: Build
    gated_until: dict[str, datetime] = field(default_factory=dict)
    refreshed: dict[str, int] = field(default_factory=dict)
    known: Known = field(default_factory=Known)
    lacking: dict[str, list[str]] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=count)

    def take_in(self, stages: list[Stage], arrivals: list[Arrival], is_first: bool) -> None:
        """Write and gate the stages, one slice of the arrivals after the other."""
        self._open([table for stage in stages for table in stage] if is_first else [])
        for part in slices(self.session, self.settings, arrivals):
            self._take_in(part, stages, is_first and part.is_first)

    def write(self, stage: Stage, arrivals: list[Arrival], is_first: bool) -> None:
        """Write the stage and leave its gate for later."""
        self._open(stage if is_first else [])
        whole = [Slice(0, arrivals, None)]
        # Only what reads bronze itself heeds where a slice ends.
        is_cut = not any(table.reads for table in stage)
        for part in slices(self.session, self.settings, arrivals) if is_cut else whole:
            variables = self._variables(part, [stage], is_first and part.is_first)
            self._transform(stage, is_first and part.is_first, variables)

    def gate(self, stage: Stage) -> None:
        """Gate what the stage's tables got since they were gated. Raises BatchQuarantined."""
        register_tables(self.session, self.settings)
        self._gate(stage, [])

    def _gate(self, stage: Stage, arrivals: list[Arrival]) -> None:
        gate_one = partial(self._gate_table, arrivals=arrivals)
        # Each gate mostly waits for the engine.
        with ThreadPoolExecutor(len(stage)) as pool:
            for table, gated in zip(stage, pool.map(gate_one, stage), strict=True):
                passed = gated.rows - gated.rejected
                self.new.rows[table.full_name] = self.new.rows.get(table.full_name, 0) + passed
                self.new.rows_rejected += gated.rejected
                self.new.dead_letters += gated.dead_letters

    def _open(self, renewed: list[Table]) -> None:
        # Another process may have built since this session began; its tables need their names here.
        register_tables(self.session, self.settings)
        for table in renewed:
            add_missing_columns(self.session, self.settings, table)
        self.known = known(self.settings)
        released = {} if self.known.version == NOTHING else {SILVER: self.known.version}
        for name, version in {**released, **self.refreshed}.items():
            self.lacking[name] = lacking_columns(self.settings, name, version)
        for timeframe in TIMEFRAMES:
            delta.ensure_table(self.session, self.settings, bronze_table(timeframe))

    def _take_in(self, part: Slice, stages: list[Stage], is_first: bool) -> None:
        variables = self._variables(part, stages, is_first)
        for stage in _together(stages):
            concerned = [t for t in stage if not self._is_left_alone(t, variables)]
            self._transform(concerned, is_first, variables)
            self._gate(concerned, part.arrivals)
        for stage in stages:
            for table in stage:
                self.gated_until[table.full_name] = self.new.built_at

    def _variables(self, part: Slice, stages: list[Stage], is_first: bool) -> dict[str, Any]:
        """What dbt must know of the slice; it is noted in ops.arrivals, too."""
        # Stages that stand apart are taken up one after the other, each with arrivals of its own.
        arrived_as = f"{self.new.build_id}-{next(self._numbers)}"
        self.new.built_at = ops.now()
        tables = [table for stage in stages for table in stage]
        per_candle = [table.full_name for table in tables if table.is_row_per_candle]
        candles = next(iter(per_candle), SILVER)
        recorded = record_arrivals(self.session, self.settings, arrived_as, part.arrivals, candles)
        return {
            "build_id": arrived_as,
            "built_at": f"{self.new.built_at:%Y-%m-%d %H:%M:%S.%f}",
            "until": f"{part.until:%Y-%m-%d %H:%M:%S}" if part.until else "",
            "since": {} if is_first else recorded.earliest("since"),
            "lookback_from": {} if is_first else recorded.earliest("lookback_from"),
            "appended": [] if is_first else appended_tables(self.session, tables, recorded),
            "released_version": self._replaced_version(recorded),
            "versions_before": self.refreshed,
            "lacking": self.lacking,
            "provider_preference": list(self.settings.provider_preference),
        }

    def _replaced_version(self, recorded: Recorded) -> int:
        return self.known.version if self.refreshed else self.known.replaced_by(recorded)

    def _is_left_alone(self, table: Table, variables: dict[str, Any]) -> bool:
        # In most builds nothing is replaced, and asking the engine for it would cost them time.
        is_of_replaced = table.full_name == SUPERSEDED
        is_there = version_of(table.path(self.settings.lake)) is not None
        return is_of_replaced and is_there and variables["released_version"] == NOTHING

    def _transform(self, stage: Stage, is_first: bool, variables: dict[str, Any]) -> None:
        names = [table.name for table in stage]
        flags = ["--full-refresh"] if is_first else []
        forget_checkpoint_hints(self.settings, {SILVER, *self.refreshed})
        with self.recorder.step("dbt", " ".join(names)):
            command = ["run", *flags, "--select", *names]
            run_dbt(self.session, self.settings, self.recorder, command, variables)

    def _gate_table(self, table: Table, arrivals: list[Arrival]) -> Gated:
        since = self.gated_until.get(table.full_name, EPOCH)
        is_refreshed = arrivals and table.full_name in self.refreshed
        written_anew = is_from(table, min(a.since for a in arrivals)) if is_refreshed else None
        with self.recorder.step("gate", table.full_name) as outcome:
            gated = gate_table(
                self.session,
                self.settings,
                self.recorder,
                table,
                since,
                self.new.build_id,
                written_anew,
            )
            outcome.rows_in, outcome.rows_rejected = gated.rows, gated.rejected
            if gated.rejected:  # they left the table, which is a version of it
                outcome.version = version_of(table.path(self.settings.lake))
        return gated


def _together(stages: list[Stage]) -> list[Stage]:
    """Neighbouring stages as one where none reads the other: the engine need not wait between."""
    found: list[Stage] = []
    for stage in stages:
        read = {name for table in stage for name in table.reads}
        if found and read.isdisjoint(table.full_name for table in found[-1]):
            found[-1] = [*found[-1], *stage]
        else:
            found.append(stage)
    return found
