"""The ledger's two tables as one state: read together, written one right after the other.

Both commits carry the same number, as Delta's application transaction. By it a writer knows whether
the tables belong together; and of two writers that began from the same state only one can commit,
whatever rows they write.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, QueryBuilder, Transaction, write_deltalake

from lakehouse.delta_log import KEEPING
from lakehouse.gaps.axis import Axis, Reach
from lakehouse.gaps.calendars import Ints, moment_of
from lakehouse.gaps.reading import COVERAGE, GAPS, SERIES, texts
from lakehouse.ops import ARROW_TYPES
from lakehouse.settings import Settings
from lakehouse.tables import table_named

APP = "gap-ledger"
POLL_SECONDS = 0.05
# A writer is that long between its two commits at the most, or it is dead.
PATIENCE_SECONDS = 3.0
FEW_ASSETS = 50
# A gap that changes costs the writing of its file.
FILE_BYTES = 1_000_000
ORDINAL = "ordinal"
IS_GONE = "is_gone"
KNOWN_COLUMNS = ("known_from", "known_to", "first_candle", "last_candle")
GAP_COLUMNS = ("gap_start", "gap_end", "gap_class", "candles", "detail", "recorded_at")


@dataclass(frozen=True, slots=True)
class Tables:
    """Both as they were at one time; what is written is refused if they have changed since."""

    gaps: DeltaTable
    coverage: DeltaTable

    @classmethod
    def opened(cls, settings: Settings) -> Tables:
        """Waits for a writer that is between its commits; not for one that died there."""
        while True:
            coverage, gaps = _table(settings, COVERAGE), _table(settings, GAPS)
            if _number(coverage) == _number(gaps) or _age_seconds(gaps) > PATIENCE_SECONDS:
                return cls(gaps, coverage)
            time.sleep(POLL_SECONDS)

    def known(self, axis: Axis) -> Reach:
        """What the coverage says of the axis' series; nowhere are those that it does not have."""
        rows = _of_series(_found(self.coverage, _of_assets(axis)), axis)
        known = Reach.nowhere(len(axis.series))
        for column, name in zip(known, KNOWN_COLUMNS, strict=True):
            of = rows.filter(pl.col(name).is_not_null())
            column[of[ORDINAL].to_numpy()] = of[name].to_numpy()
        return known

    def gaps_between(self, axis: Axis, first: Ints, last: Ints) -> pl.DataFrame:
        """The gaps of the axis' series that overlap or adjoin the candles of these numbers, by
        series, both inclusive: GAP_COLUMNS and ordinal, times in microseconds, the oldest first."""
        opened_after = axis.times(np.maximum(first - 1, axis.starts)).min()
        opened_until = axis.times(last).max()
        where = (
            f"gap_end > {_time(opened_after)} AND gap_start <= {_time(opened_until)} "
            f"AND {_of_assets(axis)}"
        )
        rows = _of_series(_found(self.gaps, where), axis)
        ordinals = rows[ORDINAL].to_numpy()
        starts = axis.numbers(ordinals, rows["gap_start"].to_numpy())
        ends = axis.numbers(ordinals, rows["gap_end"].to_numpy())
        is_touched = (ends >= first[ordinals]) & (starts <= last[ordinals])
        return rows.select(ORDINAL, *GAP_COLUMNS).filter(is_touched).sort("recorded_at")

    def write(
        self, axis: Axis, gaps: pl.DataFrame, gone: pl.DataFrame, known: pl.DataFrame
    ) -> None:
        """Replace gaps and remove those that are gone, then replace what is known of series; both
        in the columns of `gaps_between`, or KNOWN_COLUMNS, with ordinals.

        Raises CommitFailedError if another writer was faster; the gaps may be written then.
        """
        number = Transaction(APP, _number(self.gaps) + 1)
        _merge(self.gaps, GAPS, _flagged(gaps, gone, axis), number, _bounds(axis, gaps, gone))
        _merge(self.coverage, COVERAGE, _flagged(known, known.clear(), axis), number, "true")


def _table(settings: Settings, name: str) -> DeltaTable:
    path = str(table_named(name).path(settings.lake))
    if not DeltaTable.is_deltatable(path):
        configuration = {**KEEPING, "delta.targetFileSize": str(FILE_BYTES)}
        DeltaTable.create(path, _schema(name), mode="ignore", configuration=configuration)
    return DeltaTable(path)


def _schema(name: str) -> pa.Schema:
    columns = table_named(name).columns
    return pa.schema([(column.name, ARROW_TYPES[column.type]) for column in columns])


def _number(table: DeltaTable) -> int:
    return table.transaction_version(APP) or 0


def _age_seconds(table: DeltaTable) -> float:
    written: int = table.history(1)[0]["timestamp"]
    return time.time() - written / 1000


def _found(table: DeltaTable, where: str) -> pl.DataFrame:
    """The rows, times as microseconds."""
    reader = QueryBuilder().register("rows", table)
    # Not by way of pyarrow, which would import pandas.
    frame = pl.DataFrame(reader.execute(f"SELECT * FROM rows WHERE {where}").read_all())
    return frame.with_columns(pl.selectors.datetime().dt.epoch("us"))


def _of_series(rows: pl.DataFrame, axis: Axis) -> pl.DataFrame:
    """The rows of the axis' series, with their ordinals."""
    ordinals = pl.Series(ORDINAL, range(len(axis.series)), pl.Int64)
    return rows.join(_series(axis).with_columns(ordinals), on=SERIES, how="inner")


def _series(axis: Axis) -> pl.DataFrame:
    return pl.DataFrame(axis.series, schema=dict.fromkeys(SERIES, pl.String), orient="row")


def _flagged(rows: pl.DataFrame, gone: pl.DataFrame, axis: Axis) -> pl.DataFrame:
    """The rows with the columns that name their series, each with a flag whether it is gone."""
    flags = [
        frame.with_columns(pl.lit(is_gone).alias(IS_GONE))
        for frame, is_gone in ((rows, False), (gone.select(rows.columns), True))
    ]
    both = pl.concat(flags)
    return pl.concat([both, _series(axis)[both[ORDINAL].to_list()]], how="horizontal")


def _of_assets(axis: Axis, prefix: str = "") -> str:
    """SQL that keeps to the axis' assets if these are few, so that few files are read."""
    assets = {asset_pair for asset_pair, _, _ in axis.series}
    return f"{prefix}asset_pair IN ({texts(assets)})" if len(assets) <= FEW_ASSETS else "true"


def _bounds(axis: Axis, *frames: pl.DataFrame) -> str:
    """SQL over the target: the part of the table that these gaps are in."""
    starts = pl.concat([frame["gap_start"] for frame in frames]).to_numpy()
    if len(starts) == 0:
        return "true"
    return (
        f"target.gap_start >= {_time(starts.min())} AND target.gap_start <= {_time(starts.max())} "
        f"AND {_of_assets(axis, 'target.')}"
    )


def _time(microseconds: int) -> str:
    return f"timestamp'{moment_of(int(microseconds)):%Y-%m-%dT%H:%M:%S.%fZ}'"


def _merge(
    table: DeltaTable, name: str, rows: pl.DataFrame, number: Transaction, bounds: str
) -> None:
    """One commit, of the rows or of the number alone."""
    schema = _schema(name)
    properties = CommitProperties(app_transactions=[number])
    if rows.is_empty():
        write_deltalake(table, schema.empty_table(), mode="append", commit_properties=properties)
        return
    times = [field.name for field in schema if pa.types.is_timestamp(field.type)]
    timed = rows.with_columns(pl.col(times).cast(pl.Datetime("us", "UTC")))
    source = timed.select(*schema.names, IS_GONE).to_arrow()
    keys = [f"target.{key} = source.{key}" for key in table_named(name).keys]
    values = {column: f"source.{column}" for column in schema.names}
    (
        table.merge(
            source.cast(schema.append(pa.field(IS_GONE, pa.bool_()))),
            " AND ".join([*keys, bounds]),
            source_alias="source",
            target_alias="target",
            commit_properties=properties,
        )
        .when_matched_delete(f"source.{IS_GONE}")
        .when_matched_update(values)
        .when_not_matched_insert(values, f"NOT source.{IS_GONE}")
        .execute()
    )
