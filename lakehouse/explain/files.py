"""Reading a few rows of a table, past any engine: only files that may hold them are opened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
from deltalake import DeltaTable

from lakehouse.commits import File
from lakehouse.explain.span import Span
from lakehouse.settings import Settings
from lakehouse.tables import Column

# Delta's statistics cut times off to milliseconds.
CUT = timedelta(milliseconds=1)
UTC_TIME = pl.Datetime("us", "UTC")
TYPES: dict[str, pl.DataType] = {
    "timestamp": UTC_TIME,
    "date": pl.Date(),
    "int": pl.Int32(),
    "bigint": pl.Int64(),
    "double": pl.Float64(),
    "boolean": pl.Boolean(),
    "string": pl.String(),
}
Row = dict[str, Any]


def frame_now(settings: Settings, span: Span) -> pl.DataFrame:
    """The rows of the span as the table has them now, in the registry's columns and the order of
    its keys; none where there is no table."""
    path, frames = span.table.path(settings.lake), []
    if DeltaTable.is_deltatable(str(path)):
        files = files_of(DeltaTable(str(path)))
        frames = [read(path, file, span) for file in files if may_hold(file, span)]
    empty = pl.DataFrame(schema={column.name: TYPES[column.type] for column in span.table.columns})
    return pl.concat([empty, *frames]).sort(span.table.keys)


def rows_now(settings: Settings, span: Span) -> list[Row]:
    """The same, row by row."""
    return frame_now(settings, span).to_dicts()


def files_of(table: DeltaTable) -> list[File]:
    """The files of that version of the table."""
    actions = pa.table(table.get_add_actions()).to_pylist()
    return [
        File(
            path=action["path"],
            partition={k: _text(v) for k, v in (action.get("partition") or {}).items()},
            least=action.get("min") or {},
            greatest=action.get("max") or {},
        )
        for action in actions
    ]


def may_hold(file: File, span: Span) -> bool:
    """Whether its partition and statistics leave it possible that rows of the span are in it."""
    wanted = {span.asset_column: span.asset} | (
        {"timeframe": span.timeframe} if span.timeframe else {}
    )
    return all(_may_be(file, name, value) for name, value in wanted.items()) and _may_be_then(
        file, span
    )


def _may_be(file: File, name: str, value: str) -> bool:
    partition = file.partition.get(name, file.partition.get(f"partition_{name}"))
    if partition is not None:
        return partition == value
    least, greatest = file.least.get(name), file.greatest.get(name)
    return not (least is not None and value < least) and not (
        greatest is not None and value > greatest
    )


def _may_be_then(file: File, span: Span) -> bool:
    least, greatest = file.least.get(span.time_column), file.greatest.get(span.time_column)
    is_before = greatest is not None and _moment(greatest) + CUT < span.first
    is_after = least is not None and _moment(least) - CUT >= span.last
    return not (is_before or is_after)


def _moment(value: str | date | datetime) -> datetime:
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)  # noqa: DTZ001 - a day of UTC
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value


def read(path: Path, file: File, span: Span) -> pl.DataFrame:
    """The rows of the span that the file of the table at `path` holds.

    Raises FileNotFoundError where vacuum removed it.
    """
    place = path / file.path
    if not place.exists():
        raise FileNotFoundError(place)
    frame = pl.scan_parquet(place, hive_partitioning=False)
    names = frame.collect_schema().names()
    is_meant = pl.col(span.asset_column) == span.asset
    if span.timeframe and "timeframe" in names:
        is_meant &= pl.col("timeframe") == span.timeframe
    # Some writers leave times without a zone, and days are days.
    time = pl.col(span.time_column).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    found = frame.filter(is_meant & (time >= span.first) & (time < span.last)).collect()
    return found.select(_shaped(column, file.partition, names) for column in span.table.columns)


def _shaped(column: Column, partition: Mapping[str, str | None], names: Iterable[str]) -> pl.Expr:
    kind = TYPES[column.type]
    if column.name not in names:
        text = pl.lit(partition.get(column.name), pl.String)
        value = text.str.to_date("%Y-%m-%d") if column.type == "date" else text.cast(kind)
        return value.alias(column.name)
    if column.type == "timestamp":
        return pl.col(column.name).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return pl.col(column.name).cast(kind)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
