"""Repeats: rows of a batch that share a key. Same values: one row that came twice, kept once.
Different values: nobody can tell which is right, so Great Expectations names them all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.gate.marks import FAILED, MARKS, Numbered, mask, with_reasons

if TYPE_CHECKING:
    from lakehouse.gate.conditions import RowCondition

KEY = "gate_key"
FEW = 2_000


@dataclass(frozen=True, slots=True)
class Uniqueness:
    """The checks that make rows meet, and the values that make two of them one."""

    conditions: Sequence[RowCondition]
    same_row: tuple[str, ...]

    def with_key(self, rows: DataFrame) -> DataFrame:
        """The rows with KEY: the same for rows of one key, and rarely for different ones."""
        return rows.withColumn(KEY, F.xxhash64(*self.keys))

    @property
    def keys(self) -> tuple[str, ...]:
        return self.conditions[0].keys if self.conditions else ()


def repeated_keys(rows: DataFrame) -> tuple[DataFrame, int]:
    """The KEYs that several rows have, and how many rows these are.

    The one step in which rows move between workers, so it moves nothing but the keys.
    """
    repeated = rows.groupBy(KEY).count().where("count > 1")
    found = repeated.agg(F.sum("count")).collect()[0][0]
    return repeated.select(KEY), found or 0


def split(rows: DataFrame, repeated: DataFrame, rows_repeated: int) -> tuple[DataFrame, DataFrame]:
    """The rows whose KEY is repeated, and the others. Few keys are named in the query instead of
    joined, which whoever reads the rows later is spared, too."""
    if rows_repeated <= FEW:
        keys = [row[0] for row in repeated.collect()]
        return rows.where(F.col(KEY).isin(keys)), rows.where(~F.col(KEY).isin(keys))
    return rows.join(repeated, KEY, "left_semi"), rows.join(repeated, KEY, "left_anti")


def settle(suspects: DataFrame, uniqueness: Uniqueness, checks: Numbered) -> DataFrame:
    """The suspects with repeats dropped, conflicts marked and their `reasons` complete."""
    single = _drop_repeats(suspects, uniqueness)
    marks = [(c.index, c.broken) for c in uniqueness.conditions]
    marked = single.withColumn("_conflicts", mask(marks)).withColumn(
        FAILED, F.col(FAILED).bitwiseOR(F.col("_conflicts"))
    )
    return with_reasons(marked, checks).select(*suspects.columns)


def _drop_repeats(suspects: DataFrame, uniqueness: Uniqueness) -> DataFrame:
    if not uniqueness.same_row:
        return suspects
    compared = [*dict.fromkeys((*uniqueness.keys, *uniqueness.same_row))]
    rest = [name for name in suspects.columns if name not in {*compared, *MARKS[2:]}]
    identity = [F.col(name) for name in compared]
    if "raw" in rest:
        # Where something did not parse, only the text as it came tells two rows apart.
        is_partial = F.greatest(*(F.col(name).isNull() for name in compared))
        identity.append(F.when(is_partial, F.col("raw")).alias("_unparsed"))
    kept = suspects.groupBy(*identity).agg(F.min(F.struct(*rest)).alias("_rest"))
    return kept.select(*compared, "_rest.*")
