"""What was known at a time, held against a brute-force computation."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from lakehouse.engine import register_tables
from lakehouse.errors import BeforeFirstVersion, InvalidQuery, UnknownTable
from lakehouse.tables import bronze_table, table_named
from tests.conftest import sail_session
from tests.knowledge.conftest import Known, known_lake
from tests.knowledge.histories import (
    COMPANION,
    ENRICHED,
    HOUR,
    START,
    Value,
    known_then,
    random_history,
    record_release,
    write,
    write_rows,
)

OTHER = "silver.multi_timeframe_analysis"

MOMENTS = [START + hours * HOUR for hours in (0, 1, 1.5, 3, 7.25, 12, 30, 60, 80, 200)]


def closes(frame: DataFrame) -> dict[tuple[str, str, datetime], float]:
    rows = frame.toArrow().to_pylist()
    found = {(row["asset_pair"], row["timeframe"], row["timestamp"]): row["close"] for row in rows}
    assert len(found) == len(rows)
    return found


@pytest.mark.parametrize("seed", range(3, 6))
def test_any_history_is_what_brute_force_finds(
    of_sail: SparkSession, tmp_path: Path, seed: int
) -> None:
    known = known_lake(of_sail, tmp_path / "lake", random_history(seed, candles=8))
    for moment in MOMENTS[::2]:
        for at_close in (False, True):
            frame = known.house.point_in_time(ENRICHED, moment, known_at_close=at_close)
            assert closes(frame) == known_then(known.history, moment, at_close)


def test_it_has_the_columns_of_the_table_and_when_they_were_learnt(on_sail: Known) -> None:
    columns = on_sail.house.point_in_time(ENRICHED, START).columns
    of_table = [column.name for column in table_named(ENRICHED).columns]
    assert columns == [*of_table[:-2], "known_from"]


def test_a_naive_time_is_utc_and_an_offset_is_heeded(on_sail: Known) -> None:
    moment = START + 30 * HOUR
    elsewhere = datetime.fromisoformat("2026-01-02T01:00-05:00")
    for same in (moment.replace(tzinfo=None), elsewhere):
        assert closes(on_sail.house.point_in_time(ENRICHED, same)) == known_then(
            on_sail.history, moment
        )


def test_without_a_companion_a_value_counts_from_its_last_change(
    of_sail: SparkSession, tmp_path: Path
) -> None:
    history = [value for value in random_history(9) if value.known_until is None]
    known = known_lake(of_sail, tmp_path / "lake", history, has_companion=False)
    moment = START + 60 * HOUR
    assert closes(known.house.point_in_time(ENRICHED, moment)) == known_then(history, moment)


def test_what_no_release_has_is_not_known_yet(of_sail: SparkSession, tmp_path: Path) -> None:
    known = known_lake(of_sail, tmp_path / "lake", random_history(10))
    record_release(known.settings, "first", dict.fromkeys((ENRICHED, COMPANION), 0))
    write(known.settings, [replace(v, asset_pair=f"X{v.asset_pair}") for v in known.history])
    moment = START + 200 * HOUR
    assert closes(known.house.point_in_time(ENRICHED, moment)) == known_then(known.history, moment)


def test_a_candle_that_was_withdrawn_is_unknown_until_it_comes_back(
    of_sail: SparkSession, tmp_path: Path
) -> None:
    first = Value("BTCUSD", "1h", START, 1.0, START + HOUR, START + 3 * HOUR, START + HOUR, True)
    born = START + 5 * HOUR
    history = [first, replace(first, close=2.0, known_from=born, known_until=None, created_at=born)]
    house = known_lake(of_sail, tmp_path / "lake", history).house
    for at_close in (False, True):
        moments = [START + hours * HOUR for hours in (0.5, 1, 3, 4.5, 5)]
        frames = [house.point_in_time(ENRICHED, at, known_at_close=at_close) for at in moments]
        assert [list(closes(f).values()) for f in frames] == [[], [1.0], [], [], [2.0]]


def test_a_copy_of_what_is_still_present_does_not_count(
    of_sail: SparkSession, tmp_path: Path
) -> None:
    present = Value("BTCUSD", "1h", START, 1.0, START + HOUR, None, START + HOUR, True)
    house = known_lake(of_sail, tmp_path / "lake", [present]).house
    write(house.settings, [replace(present, known_until=START + 5 * HOUR)])
    for hours in (1, 4, 5, 9):
        for at_close in (False, True):
            moment = START + hours * HOUR
            frame = house.point_in_time(ENRICHED, moment, known_at_close=at_close)
            assert list(closes(frame).values()) == [1.0]


def bronze_row(hour: int, ingested_hours: float, close: float, provider: str = "binance") -> dict:
    return {
        "asset_pair": "BTCUSD",
        "timestamp": START + hour * HOUR,
        "close": close,
        "provider": provider,
        "timeframe": "1h",
        "ingested_at": START + ingested_hours * HOUR,
        "partition_asset_pair": "BTCUSD",
    }


@pytest.fixture(scope="module")
def bronze(sail_remote: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Known]:
    """Hours of bronze: a prompt candle and its correction; one landed late; one that is open."""
    rows = [
        bronze_row(0, 1, 10.0),
        bronze_row(0, 4, 11.0),
        bronze_row(0, 4, 12.0, provider="kraken"),
        bronze_row(1, 50, 20.0),
        bronze_row(9, 9.5, 90.0),
    ]
    with sail_session(sail_remote) as session:
        known = known_lake(session, tmp_path_factory.mktemp("bronze") / "lake", [])
        write_rows(known.settings, bronze_table("1h"), rows)
        register_tables(session, known.settings)
        yield known


@pytest.mark.parametrize(
    ("hours", "expected", "expected_at_close"),
    [
        (0.5, [], []),
        (1, [10.0], [10.0, 12.0]),
        (2, [10.0], [10.0, 12.0, 20.0]),
        (4, [10.0, 11.0, 12.0], [10.0, 11.0, 12.0, 20.0]),
        (9.75, [10.0, 11.0, 12.0], [10.0, 11.0, 12.0, 20.0]),
        (50, [10.0, 11.0, 12.0, 20.0, 90.0], [10.0, 11.0, 12.0, 20.0, 90.0]),
    ],
)
def test_bronze_candles_are_known_once_ingested_and_closed(
    bronze: Known, hours: float, expected: list[float], expected_at_close: list[float]
) -> None:
    name, moment = bronze_table("1h").full_name, START + hours * HOUR
    for at_close, of_mode in ((False, expected), (True, expected_at_close)):
        frame = bronze.house.point_in_time(name, moment, known_at_close=at_close)
        assert sorted(row.close for row in frame.collect()) == of_mode


def test_any_other_table_is_read_as_it_was(of_sail: SparkSession, tmp_path: Path) -> None:
    house = known_lake(of_sail, tmp_path / "lake", []).house
    write_rows(house.settings, table_named(OTHER), [{"asset_pair": "BTCUSD"}])
    register_tables(of_sail, house.settings)
    now = datetime.now(UTC)
    assert house.point_in_time(OTHER, now).count() == 1
    with pytest.raises(BeforeFirstVersion, match=OTHER):
        house.point_in_time(OTHER, now - timedelta(days=1))
    with pytest.raises(InvalidQuery, match=f"about candles, and {OTHER} holds none"):
        house.point_in_time(OTHER, now, known_at_close=True)


def test_an_unknown_table_is_named(on_sail: Known) -> None:
    with pytest.raises(UnknownTable, match=r"no table silver\.nothing"):
        on_sail.house.point_in_time("silver.nothing", START)
