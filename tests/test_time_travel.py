import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from lakehouse import Lakehouse
from lakehouse.engine import register_tables
from lakehouse.errors import (
    BeforeFirstVersion,
    InvalidRetention,
    UnknownTable,
    UnknownVersion,
    VersionGone,
)
from lakehouse.settings import Settings
from tests.conftest import forget_tables

TABLE = "gold.prices"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the table of each engine is kept, for writing it takes Spark seconds."""
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def house(
    settings: Settings, session: SparkSession, request: pytest.FixtureRequest, kept: Path
) -> Lakehouse:
    """A table of two versions with rows: first A = 1; then A = 2 and B = 3; on either engine."""
    lake = settings.model_copy(update={"engine": request.node.callspec.params["session"]})
    forget_tables(session)
    if (kept / lake.engine).exists():
        shutil.copytree(kept / lake.engine, lake.lake)
        register_tables(session, lake)
        return Lakehouse(lake, session)
    register_tables(session, lake)
    path = lake.lake / "gold" / "prices"
    session.sql(f"CREATE TABLE {TABLE} (asset string, price double) USING delta LOCATION '{path}'")
    house = Lakehouse(lake, session)
    house.merge_upsert(rows(session, A=1), TABLE, ["asset"])
    house.merge_upsert(rows(session, A=2, B=3), TABLE, ["asset"])
    shutil.copytree(lake.lake, kept / lake.engine)
    return house


def rows(session: SparkSession, **prices: float):
    return session.createDataFrame(
        [(a, float(p)) for a, p in prices.items()], "asset string, price double"
    )


def prices(frame) -> dict[str, float]:
    return {row.asset: row.price for row in frame.collect()}


def test_a_table_is_read_as_it_is_and_as_it_was(house: Lakehouse) -> None:
    assert prices(house.read_table(TABLE)) == {"A": 2, "B": 3}
    assert prices(house.read_table(TABLE, version=1)) == {"A": 1}
    first = house.get_table_history(TABLE)[1].committed_at
    assert prices(house.read_table(TABLE, as_of_timestamp=first)) == {"A": 1}


def test_history_names_each_version_newest_first(house: Lakehouse) -> None:
    versions = house.get_table_history(TABLE)
    assert [v.version for v in versions] == [2, 1, 0]
    assert all(v.is_readable for v in versions)
    assert [v.version for v in house.get_table_history(TABLE, limit=1)] == [2]


def test_a_version_that_never_was_is_answered_with_those_there_are(house: Lakehouse) -> None:
    with pytest.raises(UnknownVersion, match=r"no version 9\. It has versions 0 to 2"):
        house.read_table(TABLE, version=9)


def test_a_time_before_the_first_version_is_answered_with_the_first(house: Lakehouse) -> None:
    with pytest.raises(BeforeFirstVersion, match="did not exist at 2001-01-01"):
        house.read_table(TABLE, as_of_timestamp=datetime(2001, 1, 1, tzinfo=UTC))


def test_an_unknown_table_is_answered_with_the_known_ones(house: Lakehouse) -> None:
    for call in (house.read_table, house.get_table_history, house.optimize_table):
        with pytest.raises(UnknownTable, match=r"no table gold\.nothing.*gold\.prices"):
            call("gold.nothing")


def test_a_vacuumed_version_says_so_and_the_others_stay_readable(house: Lakehouse) -> None:
    house.vacuum_table(TABLE, retention_hours=0, allow_short_retention=True)
    readable = {v.version: v.is_readable for v in house.get_table_history(TABLE)}
    assert (readable[2], readable[1], readable[0]) == (True, False, True)
    with pytest.raises(VersionGone, match=r"Version 1 of gold\.prices is gone.*Readable: .*2, 0"):
        house.read_table(TABLE, version=1)
    assert prices(house.read_table(TABLE)) == {"A": 2, "B": 3}


def test_vacuum_below_the_safe_retention_needs_the_explicit_word(house: Lakehouse) -> None:
    with pytest.raises(InvalidRetention, match="--allow-short-retention"):
        house.vacuum_table(TABLE, retention_hours=719)
    assert house.vacuum_table(TABLE) == []
    assert all(v.is_readable for v in house.get_table_history(TABLE))


def test_an_upsert_may_update_some_columns_only(house: Lakehouse) -> None:
    changed = house.merge_upsert(
        rows(house.session, A=9, C=4), TABLE, ["asset"], update_columns=["asset"]
    )
    assert changed == 2
    assert prices(house.read_table(TABLE)) == {"A": 2, "B": 3, "C": 4}


def test_optimize_leaves_the_rows_and_fewer_files(house: Lakehouse) -> None:
    for price in range(4, 8):
        house.merge_upsert(rows(house.session, **{f"X{price}": price}), TABLE, ["asset"])
    before = prices(house.read_table(TABLE))
    metrics = house.optimize_table(TABLE, zorder_columns=["asset"])
    assert metrics["numFilesRemoved"] > metrics["numFilesAdded"] == 1
    assert prices(house.read_table(TABLE)) == before


def test_a_time_in_the_future_reads_the_newest_version(house: Lakehouse) -> None:
    later = datetime.now(UTC) + timedelta(days=1)
    assert prices(house.read_table(TABLE, as_of_timestamp=later)) == {"A": 2, "B": 3}
