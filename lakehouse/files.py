"""Candle files: dumps and exports, read where Spark's workers are, never through the driver.

Known shapes: Binance's public dumps (CSV, plain or zipped, no header, twelve columns), and CSV,
Parquet or Feather with a header: `timestamp|date|open_time, open, high, low, close, volume`.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from lakehouse.errors import UnreadableFile
from lakehouse.landing_rows import LANDING_DDL, LANDING_SCHEMA, VALUES

TIME_NAMES = ("timestamp", "date", "open_time")
BINANCE_COLUMNS = ("open_time", *VALUES)
NAME = re.compile(r"(?P<symbol>[A-Za-z0-9]+(?:[_-][A-Za-z]+)?)-(?P<timeframe>\d+[mhd])\b")
# Epoch times tell their unit by their size: the year 2100 is 4e9 seconds away.
UNITS = ((5e9, 1_000_000), (5e12, 1_000), (5e15, 1), (float("inf"), 0.001))
LOCAL_FORMATS = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%d")
ROWS_A_BATCH = 50_000
# Each writes a file to where rows are staged, and those are read several times.
MOST_TASKS = 64


@dataclass(frozen=True, slots=True)
class CandleFile:
    """A file and what its candles are."""

    path: str
    asset_pair: str
    timeframe: str
    provider: str

    @property
    def batch_id(self) -> str:
        """The same for the same content at the same place."""
        state = Path(self.path).stat()
        identity = f"{self.path} {state.st_size} {state.st_mtime_ns} {self.asset_pair}"
        return hashlib.sha256(identity.encode()).hexdigest()[:16]


def named_in(path: str) -> tuple[str | None, str | None]:
    """Symbol and timeframe a file's name states, as `BTCUSDT-1m-2026-01.zip` does."""
    match = NAME.match(Path(path).name)
    if not match:
        return None, None
    return re.sub("[_-]", "", match["symbol"]).upper(), match["timeframe"]


def candle_frame(session: SparkSession, files: list[CandleFile]) -> DataFrame:
    """The files' rows as landing rows (landing_rows.LANDING_DDL), a few files a task."""
    described = session.createDataFrame(
        [(f.path, f.asset_pair, f.timeframe, f.provider, f.batch_id) for f in files],
        "path string, asset_pair string, timeframe string, provider string, batch_id string",
    )
    tasks = min(len(files), MOST_TASKS)
    return described.repartition(tasks, "path").mapInArrow(_read_all, LANDING_DDL)


def _read_all(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for file in batch.to_pylist():
            yield from _landing_rows(file)


def _landing_rows(file: dict[str, str]) -> Iterator[pa.RecordBatch]:
    for part in read_candles(Path(file["path"])):
        rows = part.with_columns(
            asset_pair=pl.lit(file["asset_pair"]),
            provider=pl.lit(file["provider"]),
            timeframe=pl.lit(file["timeframe"]),
            batch_id=pl.lit(file["batch_id"]),
            source=pl.lit(file["path"]),
        ).select(LANDING_SCHEMA.names)
        yield from rows.to_arrow().cast(LANDING_SCHEMA).to_batches(ROWS_A_BATCH)


def read_candles(path: Path) -> Iterator[pl.DataFrame]:
    """`timestamp, open, high, low, close, volume, raw` of a file, one frame for each of its parts.

    A field that does not parse is null, and `raw` then holds the row as it stood; it is null for
    rows that parsed, which say it all themselves. Raises UnreadableFile.
    """
    try:
        for part in _parts(path):
            yield _parsed(path, part)
    except (OSError, zipfile.BadZipFile, pl.exceptions.PolarsError, pa.ArrowException) as error:
        problem = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UnreadableFile(path=path, problem=problem) from error


def _parts(path: Path) -> Iterator[pl.DataFrame]:
    name = path.name.lower()
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                yield _csv(archive.read(member))
    elif name.endswith(".parquet"):
        yield pl.read_parquet(path)
    elif name.endswith((".feather", ".arrow", ".ipc")):
        yield pl.read_ipc(path)
    elif name.endswith(".csv"):
        yield _csv(path.read_bytes())
    else:
        problem = "its kind is not known; zip, csv, parquet and feather are"
        raise UnreadableFile(path=path, problem=problem)


def _csv(content: bytes) -> pl.DataFrame:
    if not content.strip():
        raise pl.exceptions.NoDataError("it is empty")
    first = content.lstrip(b"\xef\xbb\xbf").split(b",", 1)[0].strip().strip(b'"')
    has_header = not re.fullmatch(rb"\d+(\.\d+)?", first)
    frame = pl.read_csv(
        io.BytesIO(content),
        has_header=has_header,
        infer_schema=False,
        truncate_ragged_lines=True,
        encoding="utf8-lossy",
    )
    if has_header:
        return frame
    if frame.width < len(BINANCE_COLUMNS):
        raise pl.exceptions.SchemaError(f"it has no header and {frame.width} columns, not twelve")
    return frame.rename(dict(zip(frame.columns, BINANCE_COLUMNS, strict=False)))


def _parsed(path: Path, part: pl.DataFrame) -> pl.DataFrame:
    part = part.rename({name: name.strip().lower() for name in part.columns})
    time = next((name for name in TIME_NAMES if name in part.columns), None)
    missing = [name for name in VALUES if name not in part.columns]
    if time is None or missing:
        lacks = ", ".join([*([] if time else ["a time column"]), *missing])
        raise UnreadableFile(path=path, problem=f"it lacks {lacks}")
    numbers = [pl.col(name).cast(pl.Float64, strict=False) for name in VALUES]
    parsed = part.select(_timestamp(part, time).alias("timestamp"), *numbers)
    return parsed.with_columns(raw=_raw_where_null(parsed, part))


def _timestamp(part: pl.DataFrame, time: str) -> pl.Expr:
    column = pl.col(time)
    if part.schema[time].is_temporal():
        moments = column.cast(pl.Datetime("us"))
        zone = getattr(part.schema[time], "time_zone", None)
        return (
            moments
            if zone is None
            else column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        )
    number = column.cast(pl.Float64, strict=False) if part.schema[time] == pl.String else column
    micros = pl.coalesce(
        *(pl.when(number < limit).then(number * factor) for limit, factor in UNITS)
    ).cast(pl.Int64, strict=False)
    from_number = micros.cast(pl.Datetime("us"))
    if part.schema[time] != pl.String:
        return from_number
    return pl.coalesce(from_number, *_from_text(column))


def _from_text(column: pl.Expr) -> list[pl.Expr]:
    # ISO only: a guess at 01/03/2017 would be wrong for half of those who write it.
    text = column.str.strip_chars().str.replace("T", " ").str.replace("Z$", "+00:00")
    local = [text.str.to_datetime(form, time_unit="us", strict=False) for form in LOCAL_FORMATS]
    with_offset = text.str.to_datetime("%Y-%m-%d %H:%M:%S%.f%:z", time_unit="us", strict=False)
    return [*local, with_offset.dt.convert_time_zone("UTC").dt.replace_time_zone(None)]


def _raw_where_null(parsed: pl.DataFrame, part: pl.DataFrame) -> pl.Series:
    raw = pl.Series("raw", [None], dtype=pl.String).new_from_index(0, parsed.height)
    if not any(column.null_count() for column in parsed):
        return raw
    positions = parsed.select(pl.any_horizontal(pl.all().is_null())).to_series().arg_true()
    texts = [json.dumps(row, default=str) for row in part[positions].iter_rows(named=True)]
    return raw.scatter(positions, texts)
