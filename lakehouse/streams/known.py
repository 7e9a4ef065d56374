"""What a table knows already: found by the times of its files, at any size of the table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa
from deltalake import DeltaTable

# Delta's statistics cut times off to milliseconds.
CUT = timedelta(milliseconds=1)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
Span = tuple[datetime, datetime]


def unknown(rows: pl.DataFrame, path: Path, identity: Sequence[str]) -> pl.DataFrame:
    """The rows that the Delta table does not hold, each once, the first of equals.

    `identity` are the columns that make two rows the same, null being equal to null; `timestamp` is
    one of them. Only files are read whose times overlap those of the rows.
    """
    once = rows.unique(subset=list(identity), keep="first", maintain_order=True)
    if once.is_empty():
        return once
    files = files_between(DeltaTable(str(path)), spans(once["timestamp"]))
    if not files:
        return once
    known = read_files(files, identity)
    return once.join(known, on=list(identity), how="anti", nulls_equal=True, maintain_order="left")


def spans(times: pl.Series) -> list[Span]:
    """The stretches of time, both ends included, that the times lie in; an hour without any parts
    them, so that one old row does not make all between a part of it."""
    minutes = times.dt.truncate("1m").unique().sort()
    found: list[Span] = []
    for minute in minutes:
        end = minute + MINUTE
        if found and minute - found[-1][1] <= HOUR:
            found[-1] = (found[-1][0], end)
        else:
            found.append((minute, end))
    return found


def read_between(
    table: DeltaTable, first: datetime, last: datetime, columns: Sequence[str]
) -> pl.DataFrame:
    """Rows with first <= timestamp <= last; the columns and `timestamp`."""
    found = read_files(files_between(table, [(first, last)]), columns)
    return found.filter(pl.col("timestamp").is_between(first, last))


def read_files(files: Sequence[str], columns: Sequence[str]) -> pl.DataFrame:
    """Rows of Parquet files of a table, with the columns and `timestamp`."""
    wanted = list(dict.fromkeys([*columns, "timestamp"]))
    if not files:
        return pl.DataFrame(schema={"timestamp": pl.Datetime("us", "UTC")})
    frames = [pl.read_parquet(file, columns=wanted, hive_partitioning=False) for file in files]
    return pl.concat(frames).with_columns(pl.col("timestamp").cast(pl.Datetime("us", "UTC")))


def files_between(table: DeltaTable, wanted: Sequence[Span]) -> list[str]:
    """The files of the table that may hold times of any of the spans."""
    files = files_of(table)
    if files.is_empty():
        return []
    found = files
    if {"min.timestamp", "max.timestamp"} <= set(files.columns):
        low, high = _utc("min.timestamp") - CUT, _utc("max.timestamp") + CUT
        overlaps = [(low <= last) & (high >= first) for first, last in wanted]
        # A file without statistics may hold anything.
        found = files.filter(pl.any_horizontal(overlaps).fill_null(True))
    return found["path"].to_list()


def files_of(table: DeltaTable) -> pl.DataFrame:
    """The table's files: `path`, `partition.…`, and their statistics as `min.…` and `max.…`."""
    actions = pl.DataFrame(pl.from_arrow(pa.table(table.get_add_actions(flatten=True))))
    return actions.with_columns((pl.lit(f"{root_of(table)}/") + pl.col("path")).alias("path"))


def root_of(table: DeltaTable) -> Path:
    return Path(table.table_uri.removeprefix("file://"))


def hours_of(table: DeltaTable) -> list[datetime]:
    """The hours that the table may hold times of, by the statistics of its files."""
    files = files_of(table)
    if files.is_empty():
        return []
    ranges = pl.datetime_ranges(
        _utc("min.timestamp").dt.truncate("1h"), _utc("max.timestamp"), "1h"
    )
    hours = files.select(ranges.alias("hour")).explode("hour").unique().sort("hour")
    return hours["hour"].to_list()


def _utc(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
