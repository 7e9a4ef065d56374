"""Marks: what a gate writes on a row. Two bigints with a bit for each check of the suite, and the
reasons spelled out from them."""

from __future__ import annotations

from collections import defaultdict
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
    return _either_of((1 << index, mark) for index, mark in marks)


def shared_mask(marks: Iterable[tuple[int, Column]]) -> Column:
    """As `mask`, for conditions that many checks have in common: each is computed once.

    They are told apart by how they print. Literals print like columns, so there may be none.
    """
    columns: dict[str, Column] = {}
    masks: dict[str, int] = defaultdict(int)
    for index, mark in marks:
        name = str(mark)
        columns[name] = mark
        masks[name] |= 1 << index
    return _either_of((masks[name], column) for name, column in columns.items())


def rare_mask(marks: Iterable[tuple[int, Column]]) -> Column:
    """As `mask`, where most rows have no bit: of those, only the conditions are computed."""
    marks = list(marks)
    if not marks:
        return _bigint(0)
    is_any = _halved(Column.__or__, [mark for _, mark in marks])
    return F.when(is_any, mask(marks)).otherwise(_bigint(0))


def _either_of(masks: Iterable[tuple[int, Column]]) -> Column:
    each = [F.when(mark, _bigint(value)).otherwise(_bigint(0)) for value, mark in masks]
    return _halved(Column.bitwiseOR, each) if each else _bigint(0)


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
