"""Files that an engine wrote become rows of a table: all of them, once, and findable."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from lakehouse.commits import commits_after
from lakehouse.delta import configuration
from lakehouse.tables.table import Column, Table
from lakehouse.written_files import append_rows, replace_rows

SCHEMA = pa.schema(
    [("timeframe", pa.string()), ("at", pa.timestamp("us", "UTC")), ("close", pa.float64())]
)
MOMENT = datetime(2026, 3, 2, 12, 30, 0, 123456, UTC)


TABLE = Table(
    "silver",
    "readings",
    "one row per reading",
    (
        Column("timeframe", "string", ""),
        Column("at", "timestamp", ""),
        Column("close", "double", ""),
    ),
    keys=("timeframe", "at"),
    partition_by=("timeframe",),
)


class Shelf:
    """A table partitioned by timeframe, and the folder where files for it are left."""

    def __init__(self, home: Path) -> None:
        self.path, self.folder = home / "table", home / "files"

    def leave(self, timeframe: str, *closes: float | None, at: datetime | None = MOMENT) -> None:
        folder = self.folder / f"timeframe={timeframe}"
        folder.mkdir(parents=True, exist_ok=True)
        rows = pa.table([[at] * len(closes), pa.array(closes, pa.float64())], SCHEMA.names[1:])
        pq.write_table(rows.cast(pa.schema(list(SCHEMA)[1:])), folder / "0.parquet")

    def replace(self) -> None:
        replace_rows(self.path, self.folder, SCHEMA, TABLE)

    def closes(self) -> dict[str, list[float | None]]:
        found = pl.read_delta(str(self.path)).group_by("timeframe").agg(pl.col("close").sort())
        return dict(found.iter_rows())

    def bounds(self, of: str) -> tuple[object, object]:
        (file,) = pa.table(DeltaTable(str(self.path)).get_add_actions(flatten=True)).to_pylist()
        return file.get(f"min.{of}"), file.get(f"max.{of}")


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    shelf = Shelf(tmp_path)
    shelf.leave("1m", 1.0, 2.0, None)
    yield shelf
    assert not list(shelf.folder.rglob("*.parquet"))


def test_a_table_is_made_of_files_and_gets_more(shelf: Shelf) -> None:
    shelf.leave("1h", 3.0)
    shelf.replace()
    assert shelf.closes() == {"1m": [None, 1.0, 2.0], "1h": [3.0]}
    shelf.leave("1m", 4.0)
    append_rows(shelf.path, shelf.folder)
    assert shelf.closes() == {"1m": [None, 1.0, 2.0, 4.0], "1h": [3.0]}
    assert [commit.rows_written for commit in commits_after(shelf.path, None)] == [4, 1]
    assert DeltaTable(str(shelf.path)).metadata().configuration == configuration(TABLE)


def test_both_engines_find_its_rows_by_their_statistics(
    shelf: Shelf, spark: SparkSession, sail: SparkSession
) -> None:
    shelf.replace()
    for session in (spark, sail):
        table = session.read.format("delta").load(str(shelf.path))
        condition = "at = timestamp'2026-03-02 12:30:00.123456' and close > 1.5"
        assert table.where(condition).count() == 1
        assert table.where("close > 2.0").count() == 0


def test_its_log_tells_what_a_file_holds_and_nothing_of_doubles(shelf: Shelf) -> None:
    shelf.replace()
    assert shelf.bounds("at") == (MOMENT, MOMENT)
    assert shelf.bounds("close") == (None, None)


def test_nothing_is_said_of_a_column_without_a_value(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.leave("1m", None, at=None)
    shelf.replace()
    assert shelf.bounds("at") == (None, None)


def test_no_rows_are_no_commit(shelf: Shelf) -> None:
    shelf.replace()
    append_rows(shelf.path, shelf.folder)
    assert DeltaTable(str(shelf.path)).version() == 0


def test_a_table_made_anew_has_other_rows_and_keeps_its_past(shelf: Shelf) -> None:
    shelf.replace()
    shelf.leave("1d", 5.0)
    shelf.replace()
    assert shelf.closes() == {"1d": [5.0]}
    assert pl.read_delta(str(shelf.path), version=0).height == 3


def test_a_table_may_be_made_of_no_rows(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.replace()
    assert shelf.closes() == {}
    assert pl.read_delta(str(shelf.path)).columns == SCHEMA.names
