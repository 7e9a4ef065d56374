"""The gate: every row with every reason it has, in one pass, and a verdict for each batch.

`annotate` is a plain projection: it reads nothing twice and moves no row, however many are bad.
Uniqueness needs rows to meet each other, so it waits for `judge`, which reads the keys alone and
looks closer only at rows whose key came more than once.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.gate import library
from lakehouse.gate.helpers import nameable, with_helpers
from lakehouse.gate.marks import FAILED, SKIPPED, rare_mask, shared_mask, with_reasons
from lakehouse.gate.repeats import CELL, Uniqueness, kept, settle, split
from lakehouse.gate.suites import Suite, suite_of
from lakehouse.gate.tally import BATCH, Tally, counted, exchange
from lakehouse.gate.verdicts import Judgement, Ruling
from lakehouse.settings import Settings

if TYPE_CHECKING:
    from lakehouse.gate.conditions import Condition, RowCondition


class Gate:
    """The suite of a table, or the suite of that name, ready to check rows.

    `now` is the time of the check; `is_live` adds the expectations meant for live runs.
    Raises UnknownTable or InvalidSuite.
    """

    def __init__(
        self, table: str, settings: Settings, now: datetime | None = None, *, is_live: bool = False
    ) -> None:
        self.table = table
        self.suite: Suite = suite_of(table)
        self.settings = settings
        self.now = now or datetime.now(UTC)
        self.checks = [
            (index, check)
            for index, check in enumerate(self.suite.checks)
            if is_live or check.when == "always"
        ]
        self._conditions: list[Condition] | None = None

    def with_helpers(self, frame: DataFrame) -> DataFrame:
        """The rows with the helper columns the suite names. Raises InvalidSuite for any other."""
        names = {name for _, check in self.checks for name in check.columns}
        unknown = sorted(names - nameable(frame.schema))
        if unknown:
            raise self.suite.wrong(f"it names {unknown[0]}, which {self.table} does not have")
        return with_helpers(frame, names, self.settings, self.now)

    def conditions(self, helped: DataFrame) -> list[Condition]:
        """The suite as columns over rows that have the helpers. Raises InvalidSuite."""
        if self._conditions is None:
            library.preload()
            from lakehouse.gate.conditions import compile_suite

            session, schema = helped.sparkSession, helped.schema
            self._conditions = compile_suite(self.suite, self.checks, session, schema)
        return self._conditions

    def annotate(self, frame: DataFrame) -> DataFrame:
        """The same rows and columns plus `reasons`, `warnings` and the gate's own marks. Lazy.

        Raises InvalidSuite.
        """
        helped = self.with_helpers(frame)
        rows = _row_conditions(self.conditions(helped))
        marked = helped.select(
            *frame.columns,
            rare_mask((c.index, c.broken) for c in rows if not c.keys).alias(FAILED),
            shared_mask((c.index, c.skipped) for c in rows).alias(SKIPPED),
        )
        return with_reasons(marked, self.checks)

    def judge(
        self, annotated: DataFrame, batch_column: str = "batch_id", scratch: Path | None = None
    ) -> Judgement:
        """A verdict for each batch, from the annotated columns alone.

        Without that column all rows are one batch, named for the table. When keys repeat, the rows
        concerned are settled and, with `scratch`, written there, so that nobody who reads
        `Judgement.rows` computes them again.
        """
        conditions = self.conditions(self.with_helpers(annotated))
        has_batches = batch_column in annotated.columns
        batch = F.col(batch_column) if has_batches else F.lit(self.table)
        unique = [c for c in _row_conditions(conditions) if c.keys]
        uniqueness = Uniqueness(unique, self.suite.same_row_when_equal)
        tallies, rows = self._count(annotated, batch, uniqueness, scratch)
        ruling = Ruling(self.table, self.suite.tables, self.settings, conditions)
        observed = self._observe(rows, batch, conditions)
        return Judgement(ruling.verdicts(tallies, observed), rows)

    def _count(
        self, annotated: DataFrame, batch: Column, uniqueness: Uniqueness, scratch: Path | None
    ) -> tuple[dict[str, Tally], DataFrame]:
        if not uniqueness.keys:
            return counted(annotated, batch), annotated
        with ThreadPoolExecutor(1) as pool:
            counting = pool.submit(counted, annotated, batch)
            parts = split(annotated, uniqueness, scratch)
            tallies = counting.result()
        if parts is None:
            return tallies, annotated
        suspects, clear = parts
        settled = kept(settle(suspects, uniqueness, self.checks), scratch, "rows")
        exchange(tallies, counted(suspects, batch), counted(settled, batch))
        return tallies, clear.unionByName(settled).drop(CELL)

    def _observe(
        self, rows: DataFrame, batch: Column, conditions: list[Condition]
    ) -> dict[str, dict[str, Any]]:
        """By batch, the aggregates that the checks of whole batches look at."""
        from lakehouse.gate.conditions import BatchCondition

        wanted: dict[str, Column] = {}
        for condition in conditions:
            if isinstance(condition, BatchCondition):
                wanted |= condition.aggregates
        if not wanted:
            return {}
        helped = self.with_helpers(rows).withColumn(BATCH, batch)
        aggregates = [column.alias(name) for name, column in wanted.items()]
        found = helped.groupBy(BATCH).agg(*aggregates).collect()
        return {row[BATCH]: row.asDict() for row in found}


def _row_conditions(conditions: list[Condition]) -> list[RowCondition]:
    from lakehouse.gate.conditions import RowCondition

    return [condition for condition in conditions if isinstance(condition, RowCondition)]
