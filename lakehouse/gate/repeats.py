"""Repeats: rows of a batch that share a key. Same values: one row that came twice, kept once.
Different values: nobody can tell which is right, so Great Expectations names them all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DateType, TimestampType

from lakehouse.gate.helpers import step_seconds
from lakehouse.gate.marks import FAILED, MARKS, Numbered, mask, with_reasons
from lakehouse.scratch import through_files
from lakehouse.timeframes import EPOCH

if TYPE_CHECKING:
    from lakehouse.gate.conditions import RowCondition

CELL = "gate_cell"
SLOTS = 63  # bits of a bigint that stays positive
FEW = 1_000


@dataclass(frozen=True, slots=True)
class Uniqueness:
    """The checks that make rows meet, and the values that make two of them one."""

    conditions: Sequence[RowCondition]
    same_row: tuple[str, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        return self.conditions[0].keys if self.conditions else ()


def with_cells(rows: DataFrame, uniqueness: Uniqueness) -> DataFrame:
    """The rows with CELL, a number that rows of one key share. So do its neighbours in time."""
    return rows.withColumn(CELL, _cell_and_slot(rows, uniqueness.keys)[0])


def crowded_cells(rows: DataFrame, uniqueness: Uniqueness) -> DataFrame:
    """The CELLs in which rows may share a key; every pair that does is in one.

    A cell is a stretch of time with a slot for each of its candles, and a slot is a bit: a cell
    with more rows than bits set is crowded. So a few bytes for each 63 candles move between the
    workers, and no row does.
    """
    cell, slot = _cell_and_slot(rows, uniqueness.keys)
    bit = F.call_function("shiftleft", F.lit(1).cast("bigint"), slot.cast("int"))
    marked = rows.select(cell.alias(CELL), bit.alias("bit"))
    filled = marked.groupBy(CELL).agg(
        F.count(F.lit(1)).alias("rows"), F.bit_count(F.bit_or("bit")).alias("slots")
    )
    return filled.where(F.coalesce("slots", F.lit(0)) < F.col("rows")).select(CELL)


def _cell_and_slot(rows: DataFrame, keys: Sequence[str]) -> tuple[Column, Column]:
    """Without a time among the keys, every key is a cell of one slot."""
    times = [key for key in keys if isinstance(rows.schema[key].dataType, TimestampType | DateType)]
    if not times:
        return F.xxhash64(*keys), F.lit(0)
    others = [key for key in keys if key != times[0]]
    number = _number_in_time(rows, times[0])
    stretch = F.floor(number / SLOTS)
    return F.xxhash64(*others, stretch), F.pmod(number, F.lit(SLOTS))


def _number_in_time(rows: DataFrame, time: str) -> Column:
    """Consecutive for consecutive candles, days or, where no timeframe is said, minutes."""
    if isinstance(rows.schema[time].dataType, DateType):
        return F.datediff(F.col(time), F.lit(EPOCH.date()))
    step = step_seconds() if "timeframe" in rows.columns else F.lit(None).cast("bigint")
    return F.floor(F.unix_micros(time) / (F.coalesce(step, F.lit(60)) * 1_000_000))


def split(
    rows: DataFrame, uniqueness: Uniqueness, scratch: Path | None
) -> tuple[DataFrame, DataFrame] | None:
    """The rows of crowded cells, and the others; None if no cell is crowded.

    Few cells are named in the query instead of joined, which whoever reads the rows later is
    spared, too; many are written to `scratch`, so that nobody looks for them again.
    """
    crowded = crowded_cells(rows, uniqueness)
    few = [row[0] for row in crowded.limit(FEW + 1).collect()]
    if not few:
        return None
    marked = with_cells(rows, uniqueness)
    if len(few) <= FEW:
        is_crowded = F.col(CELL).isin(few)
        return marked.where(is_crowded), marked.where(~is_crowded)
    cells = kept(crowded, scratch, "cells")
    return marked.join(cells, CELL, "left_semi"), marked.join(cells, CELL, "left_anti")


def kept(rows: DataFrame, scratch: Path | None, name: str) -> DataFrame:
    """The same rows, from a file if there is a place for it."""
    return rows if scratch is None else through_files(rows, scratch / name)


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
