"""Queries over many tables at one cut: a time, a release, the present."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from click.testing import Result
from deltalake import write_deltalake
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from typer.testing import CliRunner

from lakehouse import Lakehouse, LakehouseError
from lakehouse.cli.commands import application
from lakehouse.engine import register_tables
from lakehouse.errors import (
    BeforeFirstVersion,
    InvalidQuery,
    InvalidWindow,
    NotInRelease,
    ReleaseGone,
    UnknownRelease,
    UnknownTable,
    VersionGone,
)
from lakehouse.releases import drop
from lakehouse.settings import Settings, load_settings
from lakehouse.snapshots import make_cut
from tests.conftest import forget_tables, sail_session, settings_for
from tests.knowledge.histories import record_release

DAILY = "gold.mart_daily_metrics"
REGIMES = "gold.mart_market_regime_stats"
RAW = "bronze.raw_market_data_1h"
STREAMED = "silver.trade_aggregates"
TABLES = (DAILY, REGIMES, RAW, STREAMED)


def commit(settings: Settings, table: str, n: int) -> None:
    """The next version of the table: one row, which says n."""
    layer, _, name = table.partition(".")
    rows = pa.table({"n": [n], "words": [f"from {DAILY} x"]})
    write_deltalake(str(settings.lake / layer / name), rows, mode="overwrite")
    time.sleep(0.005)  # so that no two commits have the same time


def filled(session: SparkSession, path: Path) -> Lakehouse:
    """Versions 0, 1, 2 of each table, made in turns; a release of 0 and one of 1, then dropped."""
    settings = settings_for(path)
    for n in range(3):
        for table in TABLES:
            commit(settings, table, n)
    record_release(settings, "gone", {DAILY: 1})
    for name, version in (("first", 0), ("second", 1)):
        record_release(settings, name, {DAILY: version, REGIMES: version})
    drop(settings, "gone")
    forget_tables(session)
    register_tables(session, settings)
    return Lakehouse(settings, session)


@pytest.fixture(scope="module")
def house(sail_remote: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lakehouse]:
    with sail_session(sail_remote) as session:
        yield filled(session, tmp_path_factory.mktemp("snapshots") / "lake")


def committed_at(house: Lakehouse, table: str, version: int) -> datetime:
    history = house.get_table_history(table)
    return next(entry.committed_at for entry in history if entry.version == version)


def numbers(house: Lakehouse, query: str, **cut: Any) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in house.sql(query, **cut).collect()]


def test_the_tables_of_a_query_are_read_at_one_cut_on_either_engine(
    session: SparkSession, tmp_path: Path
) -> None:
    house = filled(session, tmp_path / "lake")
    query = f"""
        with mart_daily_metrics as (select n + 10 as n from {DAILY})
        select a.n, mart_daily_metrics.n, (select max(n) from {STREAMED}) as streamed
        from gold.`mart_market_regime_stats` as a -- from {RAW}
        inner join mart_daily_metrics on a.n + 10 = mart_daily_metrics.n
        where a.words = 'from {DAILY} x' and a.words != "{RAW}"
    """
    moment = committed_at(house, STREAMED, 1)
    assert numbers(house, query, as_of=moment) == [(1, 11, 1)]
    without_stream = query.replace(f"(select max(n) from {STREAMED})", "0")
    assert numbers(house, without_stream, release="first") == [(0, 10, 0)]


def test_names_may_be_written_in_all_ways_that_spark_knows(
    spark: SparkSession, tmp_path: Path
) -> None:
    house = filled(spark, tmp_path / "lake")
    other = f"`spark_catalog`.Gold.`{REGIMES.split('.')[1]}`"
    query = f"from {DAILY.upper()} as a cross join {other} as b select a.n, b.n"
    assert numbers(house, query, release="latest") == [(1, 1)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (f"select n from {DAILY}", [(1,)]),
        (f"SELECT t.n FROM {DAILY} t", [(1,)]),
        (f"(select n from {DAILY}) union all select n + 10 from {REGIMES}", [(1,), (11,)]),
        (f"select gold.mart_daily_metrics.n from {DAILY}", [(1,)]),
        (f"select a.n, b.n from {DAILY} a, {DAILY} version as of 0 b", [(1, 0)]),
        (f"select n from (select * from {DAILY}) where n in (select n from {REGIMES})", [(1,)]),
        (f"select 'é', n from {DAILY} order by n -- é", [("é", 1)]),
        ("select 5", [(5,)]),
    ],
)
def test_tables_are_found_wherever_they_stand(
    house: Lakehouse, query: str, expected: list[tuple[Any, ...]]
) -> None:
    assert sorted(numbers(house, query, release="latest")) == expected


def test_a_time_means_the_same_as_it_does_for_a_table_alone(house: Lakehouse) -> None:
    for version in range(3):
        at = committed_at(house, DAILY, version)
        for moment in (at, at + timedelta(microseconds=900), at.replace(tzinfo=None)):
            alone = house.read_table(DAILY, as_of_timestamp=moment.replace(tzinfo=UTC))
            (found,) = numbers(house, f"select n from {DAILY}", as_of=moment)
            assert found == (version,) == (alone.collect()[0].n,)


def test_between_two_commits_each_table_is_at_its_own_version(house: Lakehouse) -> None:
    query = f"select a.n, b.n from {DAILY} a cross join {STREAMED} b"
    assert numbers(house, query, as_of=committed_at(house, DAILY, 1)) == [(1, 0)]


def test_the_latest_release_is_found_once_for_all_tables(settings: Settings) -> None:
    for n in range(2):
        commit(settings, DAILY, n)
    record_release(settings, "old", {DAILY: 0})
    cut = make_cut(settings, release="latest")
    record_release(settings, "new", {DAILY: 1})
    assert (cut.version_of(DAILY), make_cut(settings, release="latest").version_of(DAILY)) == (0, 1)


def test_a_table_that_did_not_exist_then_is_named(house: Lakehouse) -> None:
    moment = committed_at(house, DAILY, 0)
    with pytest.raises(BeforeFirstVersion, match=f"{STREAMED} did not exist"):
        house.sql(f"select * from {DAILY} cross join {STREAMED}", as_of=moment)


@pytest.mark.parametrize("table", [RAW, STREAMED, "ops.releases"])
def test_what_is_in_no_release_is_refused(house: Lakehouse, table: str) -> None:
    with pytest.raises(NotInRelease, match=rf"{table} is not in release first, which holds"):
        house.sql(f"select * from {DAILY} cross join {table}", release="first")


def test_wrong_names_are_answered(house: Lakehouse) -> None:
    with pytest.raises(UnknownRelease, match="no release third"):
        house.sql(f"select * from {DAILY}", release="third")
    with pytest.raises(ReleaseGone, match=r"gone is gone.*Kept: second, first"):
        house.sql(f"select * from {DAILY}", release="gone")
    with pytest.raises(UnknownTable, match=r"no table gold\.nothing"):
        house.sql("select * from gold.nothing", release="first")


def test_a_time_and_a_release_exclude_each_other(house: Lakehouse) -> None:
    with pytest.raises(InvalidQuery, match="exclude each other"):
        house.sql(f"select * from {DAILY}", as_of=datetime.now(UTC), release="first")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("select * from where", r"cannot: Expected table name but got where \(line 1, column"),
        ("select 'open", "cannot: Error tokenizing"),
        ("select 1; select 2", "2 statements; one at a time"),
        ("show tables in gold", "SHOW tells of the present"),
        (f"describe {DAILY}", "DESCRIBE tells of the present"),
        (f"delete from {DAILY}", "only a query can be asked"),
    ],
)
def test_what_cannot_be_asked_of_a_cut_is_said(house: Lakehouse, query: str, words: str) -> None:
    with pytest.raises(InvalidQuery, match=words):
        house.sql(query, release="first")


def test_a_plain_query_goes_to_the_engine_unparsed(house: Lakehouse) -> None:
    with pytest.raises(PySparkException):
        house.sql("select * from where").collect()
    assert len(house.sql("show tables in gold").collect()) == 2


def test_a_plan_is_explained_at_a_cut(house: Lakehouse) -> None:
    assert house.sql(f"explain select * from {DAILY}", release="first").collect()


def test_a_setting_names_the_release_that_built_tables_are_read_in(house: Lakehouse) -> None:
    options = house.settings.releases.model_copy(update={"read": "first"})
    settings = house.settings.model_copy(update={"releases": options})
    by_default = Lakehouse(settings, house.session)
    query = f"select a.n, b.n, c.n from {DAILY} a cross join {RAW} b cross join {STREAMED} c"
    assert numbers(by_default, query) == [(0, 2, 2)]
    assert numbers(by_default, query, as_of=datetime.now(UTC)) == [(2, 2, 2)]
    assert numbers(by_default, f"select n from {DAILY}", release="latest") == [(1,)]
    assert len(by_default.sql("show tables in gold").collect()) == 2


def test_a_version_that_was_vacuumed_says_so(sail_remote: str, tmp_path: Path) -> None:
    with sail_session(sail_remote) as session:
        house = filled(session, tmp_path / "lake")
        moment = committed_at(house, STREAMED, 1)
        house.vacuum_table(STREAMED, retention_hours=0, allow_short_retention=True)
        with pytest.raises(VersionGone, match=rf"Version 1 of {STREAMED} is gone"):
            house.sql(f"select * from {STREAMED}", as_of=moment)


def test_a_table_alone_is_read_in_a_release_too(house: Lakehouse) -> None:
    assert house.read_table(DAILY, release="first").collect()[0].n == 0
    with pytest.raises(InvalidQuery, match="name one of them"):
        house.read_table(DAILY, version=1, release="first")


Command = Callable[..., Result]


@pytest.fixture
def command(
    house: Lakehouse, sail_remote: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Command]:
    """`lakehouse …` on that lake."""
    monkeypatch.setenv("LAKEHOUSE__ROOT", str(house.settings.lake))
    monkeypatch.setenv("SPARK_REMOTE", sail_remote)
    load_settings.cache_clear()
    yield lambda *arguments: CliRunner().invoke(application(), arguments)
    load_settings.cache_clear()


def test_the_commands_take_a_time_or_a_release(house: Lakehouse, command: Command) -> None:
    query, moment = f"select n from {DAILY};", committed_at(house, DAILY, 1)
    cuts = (("--release", "first"), ("--as-of", moment.isoformat()), ("--as-of", "2100-01-01"))
    asked = [command("sql", query, *cut, "--json") for cut in cuts]
    read = [command("read", DAILY, *cut, "--json") for cut in cuts]
    assert [json.loads(ran.stdout)[0]["n"] for ran in asked] == [0, 1, 2]
    assert [json.loads(ran.stdout)[0]["n"] for ran in read] == [0, 1, 2]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("sql", f"select * from {RAW}", "--release", "first"), NotInRelease),
        (("read", RAW, "--release", "first"), NotInRelease),
        (("sql", "select 1", "--release", "third"), UnknownRelease),
        (("sql", "select 1", "--as-of", "yesterday"), InvalidWindow),
        (("sql", "select 1", "--as-of", "2026-01-01", "--release", "first"), InvalidQuery),
        (("read", DAILY, "--version", "1", "--release", "first"), InvalidQuery),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else value.__name__,
)
def test_wrong_usage_of_a_cut_ends_with_code_2(
    command: Command, arguments: tuple[str, ...], error: type[LakehouseError]
) -> None:
    met = command(*arguments).exception
    assert isinstance(met, error)
    assert met.exit_code == 2
