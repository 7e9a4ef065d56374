"""Sail reads versions from before a table's last checkpoint once it is not told of that one."""

from __future__ import annotations

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from lakehouse import Lakehouse
from lakehouse.changes import table_changes
from lakehouse.checkpoint_hints import forget_checkpoint_hints
from lakehouse.engine import register_tables
from lakehouse.settings import Settings
from tests.conftest import settings_for

TABLE = "gold.counted"


@pytest.fixture
def counted(sail: SparkSession, sail_lake: Settings) -> Settings:
    """A lake with a table of seven versions, each with a row more, and a checkpoint."""
    path = str(sail_lake.lake / "gold" / "counted")
    for number in range(7):
        write_deltalake(path, pa.table({"number": [number]}), mode="append")
    DeltaTable(path).create_checkpoint()
    register_tables(sail, sail_lake)
    return sail_lake


def rows(session: SparkSession, version: int) -> int:
    return session.sql(f"SELECT * FROM {TABLE} VERSION AS OF {version}").toArrow().num_rows


def test_every_version_can_be_read_once_the_hint_is_forgotten(
    sail: SparkSession, counted: Settings
) -> None:
    # When this does not fail any more, Sail is mended, and the module can go.
    with pytest.raises(PySparkException, match="Missing commit file"):
        rows(sail, 3)
    forget_checkpoint_hints(counted, [TABLE])
    assert [rows(sail, version) for version in range(7)] == [1, 2, 3, 4, 5, 6, 7]


def test_on_spark_the_hint_stays(counted: Settings) -> None:
    forget_checkpoint_hints(settings_for(counted.lake, engine="spark"), [TABLE])
    assert (counted.lake / "gold" / "counted" / "_delta_log" / "_last_checkpoint").exists()


def test_no_reader_of_the_past_meets_the_hint(sail: SparkSession, counted: Settings) -> None:
    lake = Lakehouse(counted, sail)

    def hinted() -> None:
        DeltaTable(str(counted.lake / "gold" / "counted")).create_checkpoint()

    hinted()
    assert lake.read_table(TABLE, version=3).count() == 4
    hinted()
    committed_at = lake.get_table_history(TABLE)[3].committed_at
    assert lake.sql(f"select * from {TABLE}", as_of=committed_at).count() == 4
    hinted()
    assert table_changes(sail, counted, TABLE, 2, 5).added == 3
