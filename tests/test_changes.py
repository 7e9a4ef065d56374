"""What changed between two versions of a table, held against plain Python."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import mean
from typing import Any

import pyarrow as pa
import pytest
from click.testing import Result
from deltalake import write_deltalake
from pyspark.sql import SparkSession
from typer.testing import CliRunner

from lakehouse.changes import TableChanges, changed_rows, table_changes, version_named
from lakehouse.cli.commands import application
from lakehouse.engine import register_tables
from lakehouse.errors import (
    BeforeFirstVersion,
    InvalidWindow,
    NotInRelease,
    UnknownTable,
    UnknownVersion,
)
from lakehouse.settings import Settings, load_settings
from lakehouse.tables import bronze_table, table_named
from lakehouse.time_travel import history
from tests.conftest import forget_tables, sail_session, settings_for
from tests.knowledge.histories import HOUR, START, TYPES, record_release

TECHNICAL = "gold.mart_technical_indicators"
RAW = bronze_table("1h").full_name
Row = dict[str, Any]
Rows = dict[tuple[str, int], Row]


def write_version(settings: Settings, name: str, rows: list[Row]) -> None:
    """The next version of the table: these rows and no others."""
    table = table_named(name)
    schema = pa.schema([(column.name, TYPES[column.type]) for column in table.columns])
    data = pa.Table.from_pylist(rows, schema=schema)
    write_deltalake(str(table.path(settings.lake)), data, mode="overwrite")


def served(session: SparkSession, path: Path, versions: list[list[Row]], name: str) -> Settings:
    settings = settings_for(path)
    for rows in versions:
        write_version(settings, name, rows)
    forget_tables(session)
    register_tables(session, settings)
    return settings


def random_rows(dice: random.Random) -> Rows:
    """By asset and hour: a close, a signal that may be missing, the time of the build."""
    return {
        (asset, hour): {
            "close": float(dice.choice([1, 2, 5, 0])),
            "rsi_14": dice.choice([None, 40.0, 60.0]),
            "rsi_zone": dice.choice([None, "up", "down"]),
            "updated_at": START + dice.randrange(9) * HOUR,
        }
        for asset in ("BTCUSD", "ETHUSD")
        for hour in range(40)
        if dice.random() < 0.8
    }


def flat(rows: Rows) -> list[Row]:
    return [
        {"asset_pair": asset, "timeframe": "1h", "timestamp": START + hour * HOUR, **row}
        for (asset, hour), row in rows.items()
    ]


def test_it_is_what_plain_python_finds_on_either_engine(
    session: SparkSession, tmp_path: Path
) -> None:
    dice = random.Random(11)  # noqa: S311 - it must repeat itself
    before, after = random_rows(dice), random_rows(dice)
    settings = served(session, tmp_path / "lake", [flat(before), flat(after)], TECHNICAL)
    found = table_changes(session, settings, TECHNICAL, 0, 1)
    both = before.keys() & after.keys()
    names = ("close", "rsi_14", "rsi_zone")
    moved = {n: [k for k in both if before[k][n] != after[k][n]] for n in names}
    assert (found.added, found.removed) == (len(after.keys() - both), len(before.keys() - both))
    assert found.changed == len({key for keys in moved.values() for key in keys})
    assert {column.column: column.changed for column in found.columns} == {
        name: len(keys) for name, keys in moved.items()
    }
    closes = next(column for column in found.columns if column.column == "close")
    pairs = [(before[key]["close"], after[key]["close"]) for key in moved["close"]]
    steps = [(abs(new - old), old) for old, new in pairs]
    shares = [step / old for step, old in steps if old]
    assert closes.mean_step == pytest.approx(mean(step for step, _ in steps))
    assert closes.max_step == max(step for step, _ in steps)
    assert closes.mean_share == pytest.approx(mean(shares))
    assert closes.max_share == pytest.approx(max(shares))
    signals = next(column for column in found.columns if column.column == "rsi_zone")
    assert (signals.mean_step, signals.max_share) == (None, None)


@pytest.fixture(scope="module")
def of_sail(sail_remote: str) -> Iterator[SparkSession]:
    with sail_session(sail_remote) as session:
        yield session


def candle(hour: int = 0, close: float | None = 1.0, **values: Any) -> Row:
    return {
        "asset_pair": "BTCUSD",
        "timeframe": "1h",
        "timestamp": START + hour * HOUR,
        "close": close,
        **values,
    }


def test_when_a_row_was_written_and_the_last_digits_of_a_sum_are_no_change(
    of_sail: SparkSession, tmp_path: Path
) -> None:
    later = {"created_at": START + HOUR, "updated_at": START + HOUR}
    versions = [
        [candle(close=0.3), candle(1, -0.0), candle(2, float("nan"))],
        [candle(close=0.1 + 0.2, **later), candle(1, 0.0), candle(2, float("nan"), **later)],
    ]
    settings = served(of_sail, tmp_path / "lake", versions, TECHNICAL)
    found = table_changes(of_sail, settings, TECHNICAL, 0, 1)
    assert found == TableChanges(TECHNICAL, 0, 1)
    assert found.is_empty


def test_a_version_has_no_changes_against_itself_but_must_exist(
    of_sail: SparkSession, tmp_path: Path
) -> None:
    settings = served(of_sail, tmp_path / "lake", [[candle()]], TECHNICAL)
    assert table_changes(of_sail, settings, TECHNICAL, 0, 0).is_empty
    with pytest.raises(UnknownVersion, match="no version 5"):
        table_changes(of_sail, settings, TECHNICAL, 5, 5)
    with pytest.raises(UnknownTable, match=r"no table gold\.nothing"):
        table_changes(of_sail, settings, "gold.nothing", 0, 0)


def test_what_a_provider_said_is_the_key_of_a_bronze_candle(
    of_sail: SparkSession, tmp_path: Path
) -> None:
    first = candle(provider="kraken", batch_id="a", volume=None)
    corrected = [{**first, "batch_id": "b"}, {**first, "close": 2.0}]
    settings = served(of_sail, tmp_path / "lake", [[first], corrected], RAW)
    found = table_changes(of_sail, settings, RAW, 0, 1)
    assert (found.added, found.removed, found.changed) == (1, 0, 1)
    assert [column.column for column in found.columns] == ["batch_id"]


def test_a_table_that_is_not_in_the_registry_has_all_columns_as_its_key(
    of_sail: SparkSession, tmp_path: Path
) -> None:
    settings = settings_for(tmp_path / "lake")
    for prices in ([1.0, None], [1.0, 2.0]):
        rows = pa.table({"asset": ["A", "B"], "price": prices})
        write_deltalake(str(settings.lake / "gold" / "prices"), rows, mode="overwrite")
    forget_tables(of_sail)
    register_tables(of_sail, settings)
    found = table_changes(of_sail, settings, "gold.prices", 0, 1)
    assert (found.added, found.removed, found.changed) == (1, 1, 0)


def test_a_column_that_only_one_version_has_is_not_compared(
    of_sail: SparkSession, tmp_path: Path
) -> None:
    settings = settings_for(tmp_path / "lake")
    path = str(table_named(TECHNICAL).path(settings.lake))
    keys = {"asset_pair": ["BTCUSD"], "timeframe": ["1h"], "timestamp": [START]}
    write_deltalake(path, pa.table({**keys, "close": [1.0]}))
    more = pa.table({**keys, "close": [3.0], "added": [1]})
    write_deltalake(path, more, mode="overwrite", schema_mode="overwrite")
    forget_tables(of_sail)
    register_tables(of_sail, settings)
    found = table_changes(of_sail, settings, TECHNICAL, 0, 1)
    assert [(column.column, column.max_step) for column in found.columns] == [("close", 2.0)]


@pytest.fixture(scope="module")
def shop(of_sail: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Two versions: one candle corrected, one gone, one new; a release of the first."""
    versions = [
        [candle(0, 10.0, rsi_zone="up"), candle(1), candle(2)],
        [candle(0, 11.0, rsi_zone="down"), candle(1), candle(3)],
    ]
    settings = served(of_sail, tmp_path_factory.mktemp("shop") / "lake", versions, TECHNICAL)
    record_release(settings, "first", {TECHNICAL: 0})
    record_release(settings, "2", {"gold.mart_daily_metrics": 0})
    return settings


def test_rows_are_shown_in_the_order_of_their_keys_with_both_values(
    of_sail: SparkSession, shop: Settings
) -> None:
    forget_tables(of_sail)
    register_tables(of_sail, shop)
    rows = changed_rows(of_sail, shop, TECHNICAL, 0, 1, limit=5)
    assert [row["change"] for row in rows] == ["changed", "removed", "added"]
    assert rows[0]["values"] == {"close": (10.0, 11.0), "rsi_zone": ("up", "down")}
    assert [row["timestamp"].hour for row in rows] == [0, 2, 3]
    assert changed_rows(of_sail, shop, TECHNICAL, 0, 1, limit=1) == rows[:1]
    assert changed_rows(of_sail, shop, TECHNICAL, 1, 1, limit=5) == []


def test_a_version_is_named_by_number_release_or_time(shop: Settings) -> None:
    second = history(shop, TECHNICAL)[0].committed_at
    names = ("1", "first", f"{second:%Y-%m-%dT%H:%M:%S.%f}", "2100-01-01")
    assert [version_named(shop, TECHNICAL, name) for name in names] == [1, 0, 1, 1]


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("7", UnknownVersion, "no version 7"),
        ("2", NotInRelease, "is not in release 2"),
        ("2001-01-01", BeforeFirstVersion, "did not exist at 2001-01-01"),
        ("yesterday", InvalidWindow, "a version, release or time: 'yesterday' is not a time"),
    ],
)
def test_what_names_no_version_is_answered(
    shop: Settings, name: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        version_named(shop, TECHNICAL, name)


Diff = Callable[..., Result]


@pytest.fixture
def diff(shop: Settings, sail_remote: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Diff]:
    """`lakehouse diff` on that table."""
    monkeypatch.setenv("LAKEHOUSE__ROOT", str(shop.lake))
    monkeypatch.setenv("SPARK_REMOTE", sail_remote)
    load_settings.cache_clear()
    yield lambda *arguments: CliRunner().invoke(application(), ["diff", TECHNICAL, *arguments])
    load_settings.cache_clear()


def test_the_command_tells_rows_columns_and_moves(diff: Diff) -> None:
    told = diff("first", "1").stdout
    assert f"{TECHNICAL}, version 0 to 1: 1 rows added, 1 removed, 1 changed." in told
    assert "close 10 → 11, rsi_zone up → down" in told
    assert "The first" not in told
    assert "The first 1 of them; --limit shows more." in diff("0", "1", "--limit", "1").stdout


def test_as_json_the_command_gives_both_values(diff: Diff) -> None:
    (found,) = json.loads(diff("0", "1", "--json").stdout)
    assert (found["added"], found["removed"], found["changed"]) == (1, 1, 1)
    assert found["rows"][0]["values"]["close"] == {"before": 10.0, "after": 11.0}
    close = found["columns"][0]
    assert (close["max_step"], close["max_share"]) == (1.0, pytest.approx(0.1))


def test_nothing_changed_is_said_too(diff: Diff) -> None:
    assert diff("1", "1").stdout.strip() == (
        f"{TECHNICAL}, version 1 to 1: 0 rows added, 0 removed, 0 changed."
    )
