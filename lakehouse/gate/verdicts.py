"""Verdicts: what a gate found in a batch, in the words of its suite and in those of GX."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame

from lakehouse.gate.marks import bits
from lakehouse.gate.suites import Check
from lakehouse.gate.tally import Tally
from lakehouse.settings import Settings
from lakehouse.tables import registry

if TYPE_CHECKING:
    from great_expectations.core import ExpectationValidationResult

    from lakehouse.gate.conditions import Condition


@dataclass(frozen=True, slots=True)
class Finding:
    """How a check fared in a batch: the values of the metrics that GX judges it by.

    `rows_unexpected` counts rows; a check of the whole batch that fails counts all of them.
    """

    condition: Condition
    is_about_rows: bool
    values: Mapping[str, Any]
    is_success: bool
    rows_unexpected: int

    @property
    def check(self) -> Check:
        return self.condition.check

    def result(self) -> ExpectationValidationResult:
        """GX's own result. It costs milliseconds, and a landing has thousands."""
        return self.condition.result(self.values)


@dataclass(frozen=True, slots=True)
class BatchVerdict:
    """A batch after the gate. Rows that came twice count once; `repeats` is how many were dropped.

    `asset_pair`, `timeframe` and `provider` are None where a batch has several.
    """

    table: str
    batch_id: str
    asset_pair: str | None
    timeframe: str | None
    provider: str | None
    rows: int
    rejected: int
    repeats: int
    tolerance: float
    quarantine_from_rows: int
    findings: tuple[Finding, ...]

    @property
    def share(self) -> float:
        """Share of the rows that failed, 0 to 1."""
        return self.rejected / self.rows if self.rows else 0.0

    @property
    def batch_failures(self) -> tuple[str, ...]:
        """Reasons that condemn the batch as a whole, whatever its rows."""
        failed = (f for f in self.findings if f.check.severity == "fail" and not f.is_success)
        return tuple(f.check.reason for f in failed if not f.is_about_rows)

    @property
    def is_quarantined(self) -> bool:
        # A share of a handful says nothing: one bad day of a week is no reason to refuse the week.
        is_enough = self.rejected >= self.quarantine_from_rows
        return (is_enough and self.share > self.tolerance) or bool(self.batch_failures)

    @property
    def reasons(self) -> Counter[str]:
        """Rows by the reason they were rejected for; a row counts under each of its reasons."""
        return self._count("fail")

    @property
    def warnings(self) -> Counter[str]:
        return self._count("warn")

    def _count(self, severity: str) -> Counter[str]:
        broken = (f for f in self.findings if f.check.severity == severity and not f.is_success)
        return Counter({finding.check.reason: finding.rows_unexpected for finding in broken})


@dataclass(frozen=True, slots=True)
class Judgement:
    """What `Gate.judge` found. `rows` are the annotated rows with their last word: `reasons` are
    complete and repeats dropped."""

    verdicts: list[BatchVerdict]
    rows: DataFrame

    @property
    def quarantined(self) -> set[str]:
        """The batches of which nothing may be published."""
        return {verdict.batch_id for verdict in self.verdicts if verdict.is_quarantined}


@dataclass(frozen=True, slots=True)
class Ruling:
    """Turns counts into verdicts. `tables` are those the suite guards, `table` what was asked."""

    table: str
    tables: Sequence[str]
    settings: Settings
    conditions: Sequence[Condition]

    def verdicts(
        self, tallies: Mapping[str, Tally], observed: Mapping[str, Mapping[str, object]]
    ) -> list[BatchVerdict]:
        """One verdict per batch, by batch_id. `observed`: aggregates named `<index>:<metric>`."""
        return [
            self._verdict(batch_id, tally, observed.get(batch_id, {}))
            for batch_id, tally in sorted(tallies.items())
        ]

    def _verdict(self, batch_id: str, tally: Tally, observed: Mapping[str, object]) -> BatchVerdict:
        table = self._table(tally.only("timeframe"))
        failing = bits([(c.index, c.check) for c in self.conditions], "fail")
        return BatchVerdict(
            table=table,
            batch_id=batch_id,
            asset_pair=tally.only("asset_pair"),
            timeframe=tally.only("timeframe"),
            provider=tally.only("provider"),
            rows=tally.rows,
            rejected=tally.failed(failing),
            repeats=tally.arrived - tally.rows,
            tolerance=self._tolerance(table),
            quarantine_from_rows=self.settings.quarantine_from_rows,
            findings=tuple(_finding(c, tally, observed) for c in self.conditions),
        )

    def _table(self, timeframe: str | None) -> str:
        named = f"{self.table}_{timeframe}"
        return named if named in self.tables else self.table

    def _tolerance(self, table: str) -> float:
        known = registry().get(table)
        own = known.tolerance if known else None
        return self.settings.tolerance if own is None else own


def _finding(condition: Condition, tally: Tally, observed: Mapping[str, Any]) -> Finding:
    from lakehouse.gate.conditions import BatchCondition, RowCondition

    match condition:
        case RowCondition():
            broken = tally.failed(condition.bit)
            values = condition.values(tally.rows, broken, tally.skipped(condition.bit))
            # A suite has no `mostly`, so GX calls a row check a success when no row breaks it.
            return Finding(condition, True, values, broken == 0, broken)
        case BatchCondition():
            values = condition.values(tally.rows, observed)
            is_success = bool(condition.result(values).success)
            return Finding(condition, False, values, is_success, 0 if is_success else tally.rows)
    raise TypeError(condition)


def quality_rows(
    verdicts: Sequence[BatchVerdict], run_id: str, checked_at: datetime | None = None
) -> list[dict[str, Any]]:
    """Rows of ops.quality_results: one per verdict and check."""
    checked_at = checked_at or datetime.now(UTC)
    return [
        {
            "run_id": run_id,
            "table": verdict.table,
            "batch_id": verdict.batch_id,
            "expectation": finding.check.expect,
            "reason": finding.check.reason,
            "severity": finding.check.severity,
            "is_success": finding.is_success,
            "rows_checked": verdict.rows,
            "rows_unexpected": finding.rows_unexpected,
            "checked_at": checked_at,
        }
        for verdict in verdicts
        for finding in verdict.findings
    ]
