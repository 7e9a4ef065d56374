"""The steps of a run, from ops.outcomes: what each of them read and wrote."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from lakehouse import ops
from lakehouse.commits import read_commit, version_of
from lakehouse.errors import UnknownRun
from lakehouse.lineage.graph import made_of
from lakehouse.settings import Settings
from lakehouse.tables import built_tables, registry, table_named

LAKE = "lakehouse"
FILES = "file"
LETTERS = "dead letters"
CANDLES = "bronze.raw_market_data"
OUTCOMES = "ops.outcomes"
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a step reads or writes: a table or what was fetched (namespace LAKE), what a provider
    has (its name), or a file. `version` is that of a table then."""

    namespace: str
    name: str
    version: int | None = None


@dataclass(frozen=True, slots=True)
class StepRun:
    """A step of a run; `outcome` is its row of ops.outcomes."""

    outcome: Row
    inputs: tuple[Dataset, ...]
    outputs: tuple[Dataset, ...]

    @property
    def job(self) -> str:
        return f"{self.outcome['step']} {self.outcome['subject']}"

    @property
    def started_at(self) -> datetime:
        started: datetime = self.outcome["started_at"]
        return started

    @property
    def ended_at(self) -> datetime:
        return self.started_at + timedelta(seconds=self.outcome["duration_seconds"] or 0)


def latest_run(settings: Settings) -> str | None:
    """The run of the step that began last; None before the first."""
    newest = "SELECT run_id FROM rows ORDER BY started_at DESC LIMIT 1"
    return next((row["run_id"] for row in ops.query(settings, OUTCOMES, newest)), None)


def steps_of(settings: Settings, run_id: str) -> list[StepRun]:
    """The steps of the run, in the order in which they began. Raises UnknownRun."""
    wanted = run_id.replace("'", "''")
    found = f"SELECT * FROM rows WHERE run_id = '{wanted}' ORDER BY started_at"
    outcomes = ops.query(settings, OUTCOMES, found)
    if not outcomes:
        raise UnknownRun(run=run_id, latest=latest_run(settings) or "none yet")
    run = _Run(settings, wanted)
    return [StepRun(row, tuple(run.inputs(row)), tuple(run.outputs(row))) for row in outcomes]


@dataclass(frozen=True)
class _Run:
    """Knows what the steps of a run read and wrote."""

    settings: Settings
    run_id: str

    @cached_property
    def fetched(self) -> list[Row]:
        """asset_pair, timeframe and served_by of what the run asked for."""
        columns = "asset_pair, timeframe, coalesce(served_by, provider) AS served_by"
        chosen = f"SELECT DISTINCT {columns} FROM rows WHERE run_id = '{self.run_id}'"
        found = ops.query(self.settings, "ops.progress", chosen)
        return sorted(found, key=lambda row: (row["asset_pair"], row["timeframe"]))

    def inputs(self, outcome: Row) -> list[Dataset]:
        step, subject, then = outcome["step"], outcome["subject"], outcome["started_at"]
        if step == "fetch":
            return [Dataset(_provider(row), subject) for row in self.fetched if _of(row) == subject]
        if step == "replay":
            return [Dataset(LAKE, LETTERS)]
        if step == "publish" or (step == "gate" and subject == CANDLES):
            known = registry().get(subject)
            return self._arrived(known.timeframe if known else None)
        if step == "gate":
            return [self._table(subject, then)]
        name = _built(subject) if step == "dbt model" else None
        tables = [self._table(each, then) for each in (made_of(name) if name else ())]
        return [table for table in tables if table.version is not None]

    def _arrived(self, timeframe: str | None) -> list[Dataset]:
        """What waited to be landed: what was fetched, files, or else dead letters."""
        arrived = [
            Dataset(FILES, row["served_by"])
            if row["served_by"].startswith("/")
            else Dataset(LAKE, f"landing/{_of(row)}")
            for row in self.fetched
            if timeframe in (None, row["timeframe"])
        ]
        return list(dict.fromkeys(arrived)) or [Dataset(LAKE, LETTERS)]

    def outputs(self, outcome: Row) -> list[Dataset]:
        step, subject, version = outcome["step"], outcome["subject"], outcome["version"]
        if step == "fetch":
            return [Dataset(LAKE, f"landing/{subject}")] if outcome["rows_out"] else []
        name = _built(subject) if step == "dbt model" else subject
        if version is None or name not in registry():
            return []
        return [Dataset(LAKE, name, version)]

    def _table(self, name: str, then: datetime) -> Dataset:
        """The table with the version that was its newest then; without one where it had no rows
        yet, or its log has forgotten."""
        path = table_named(name).path(self.settings.lake)
        number = version_of(path)
        while number is not None:
            commit = read_commit(path, number)
            if commit is None or commit.committed_at <= then:
                is_empty = commit is None or not (number or commit.added)
                return Dataset(LAKE, name, None if is_empty else number)
            number = number - 1 if number else None
        return Dataset(LAKE, name)


def _of(row: Row) -> str:
    return f"{row['asset_pair']} {row['timeframe']}"


def _provider(row: Row) -> str:
    return str(row["served_by"])


def _built(model: str) -> str | None:
    return next((table.full_name for table in built_tables() if table.name == model), None)
