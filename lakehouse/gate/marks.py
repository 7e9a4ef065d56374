"""Marks: what a gate writes on a row. Two bigints with a bit for each check of the suite, and the
reasons spelled out from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

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
    together: dict[str, tuple[Column, int]] = {}
    for index, mark in marks:
        # Many checks skip a row for the same reason.
        _, others = together.get(str(mark), (mark, 0))
        together[str(mark)] = mark, others | 1 << index
    each = [F.when(mark, _bigint(bits)).otherwise(_bigint(0)) for mark, bits in together.values()]
    return _halved(Column.bitwiseOR, each) if each else _bigint(0)


def rare_mask(marks: Iterable[tuple[int, Column]]) -> Column:
    """The same, where most rows have no bit: of those, only the conditions are computed."""
    marks = list(marks)
    if not marks:
        return _bigint(0)
    is_any = _halved(Column.__or__, [mark for _, mark in marks])
    return F.when(is_any, mask(marks)).otherwise(_bigint(0))


def _bigint(value: int) -> Column:
    return F.lit(value).cast("bigint")


def _halved(either: Callable[[Column, Column], Column], columns: Sequence[Column]) -> Column:
    # Halving keeps the expression flat: the protocol refuses one nested a hundred deep.
    if len(columns) == 1:
        return columns[0]
    middle = len(columns) // 2
    return either(_halved(either, columns[:middle]), _halved(either, columns[middle:]))


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
