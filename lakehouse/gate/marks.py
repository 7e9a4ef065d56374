"""Marks: what a gate writes on a row. Two bigints with a bit for each check of the suite, and the
reasons spelled out from them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.gate.suites import Check

FAILED = "gate_failed"  # the checks the row breaks
SKIPPED = "gate_skipped"  # the checks that say nothing about it, for a value is missing
REASONS = "reasons"
WARNINGS = "warnings"
MARKS = (FAILED, SKIPPED, REASONS, WARNINGS)
Numbered = Sequence[tuple[int, Check]]  # place in the suite, check


def bits(checks: Numbered, severity: str) -> int:
    """The mask of the checks of that severity."""
    return sum(1 << index for index, check in checks if check.severity == severity)


def mask(marks: Iterable[tuple[int, Column]]) -> Column:
    """One bigint with the bit `index` set where the column is true."""
    zero = F.lit(0).cast("bigint")
    each = [F.when(mark, F.lit(1 << index).cast("bigint")).otherwise(zero) for index, mark in marks]
    return _either(each) if each else zero


def _either(masks: Sequence[Column]) -> Column:
    # Halving keeps the expression flat: the protocol refuses one nested a hundred deep.
    if len(masks) == 1:
        return masks[0]
    middle = len(masks) // 2
    return _either(masks[:middle]).bitwiseOR(_either(masks[middle:]))


def with_reasons(marked: DataFrame, checks: Numbered) -> DataFrame:
    """`reasons` (of `fail` checks) and `warnings` beside the marks; empty arrays for none."""
    return marked.withColumns(
        {REASONS: _spelled(checks, "fail"), WARNINGS: _spelled(checks, "warn")}
    )


def _spelled(checks: Numbered, severity: str) -> Column:
    failed = F.col(FAILED)
    each = [
        F.when(failed.bitwiseAND(F.lit(1 << index)) != 0, F.lit(check.reason))
        for index, check in checks
        if check.severity == severity
    ]
    none = F.array().cast("array<string>")
    if not each:
        return none
    is_any = failed.bitwiseAND(F.lit(bits(checks, severity))) != 0
    return F.when(is_any, F.array_compact(F.array(*each))).otherwise(none)
