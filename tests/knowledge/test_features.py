"""The point-in-time join, held against a brute-force computation label by label."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from lakehouse.errors import InvalidQuery, UnknownTimeframe
from lakehouse.tables import table_named
from tests.knowledge.conftest import Known, known_lake
from tests.knowledge.histories import (
    ENRICHED,
    HOUR,
    START,
    Value,
    feature_then,
    random_history,
)

Label = tuple[int, str | None, datetime | None]
# On the grid, where values become known, and between.
LABELS: list[Label] = [
    (number, asset_pair, START + number * HOUR / 4)
    for number in range(320)
    for asset_pair in ("BTCUSD", "ETHUSD")
]
ODD_LABELS: list[Label] = [
    (1000, "BTCUSD", START + 30 * HOUR),
    (1000, "BTCUSD", START + 30 * HOUR),
    (1001, "XRPUSD", START + 30 * HOUR),
    (1002, None, START + 30 * HOUR),
    (1003, "BTCUSD", None),
]


def labels_of(session: SparkSession, labels: Sequence[Label], at: str = "label_at") -> DataFrame:
    return session.createDataFrame(labels, f"number int, asset_pair string, {at} timestamp")


def answers(frame: DataFrame) -> list[tuple[Any, ...]]:
    rows = frame.toArrow().to_pylist()
    columns = ("number", "asset_pair", "label_at", "feature_at", "close")
    return sorted((tuple(row[name] for name in columns) for row in rows), key=str)


def expected(
    history: Sequence[Value], labels: Sequence[Label], timeframe: str, at_close: bool = False
) -> list[tuple[Any, ...]]:
    found = (
        (*label, *(feature_then(history, label[1], timeframe, label[2], at_close) or (None, None)))
        for label in labels
    )
    return sorted(found, key=str)


def test_many_labels_get_what_brute_force_finds_for_each(known: Known) -> None:
    labels = [*LABELS, *ODD_LABELS]
    frame = known.house.features_as_of(labels_of(known.house.session, labels), timeframe="4h")
    assert answers(frame) == expected(known.history, labels, "4h")


@pytest.mark.parametrize("seed", range(20, 26))
def test_any_history_gives_what_brute_force_finds(
    of_sail: SparkSession, tmp_path: Path, seed: int
) -> None:
    known = known_lake(of_sail, tmp_path / "lake", random_history(seed, candles=12))
    labels = labels_of(of_sail, LABELS)
    for at_close in (False, True):
        frame = known.house.features_as_of(labels, timeframe="1h", known_at_close=at_close)
        assert answers(frame) == expected(known.history, LABELS, "1h", at_close)


def test_the_columns_are_those_of_the_labels_then_the_features(on_sail: Known) -> None:
    labels = labels_of(on_sail.house.session, LABELS[:1])
    keys = ("asset_pair", "timeframe", "timestamp", "created_at", "updated_at")
    values = [c.name for c in table_named(ENRICHED).columns if c.name not in keys]
    expected_columns = [*labels.columns, "feature_at", "feature_known_at", *values]
    assert on_sail.house.features_as_of(labels).columns == expected_columns


def test_known_exactly_at_the_labels_time_counts_and_replaced_then_does_not(
    of_sail: SparkSession, tmp_path: Path
) -> None:
    known_from, until = START + 2 * HOUR, START + 4 * HOUR
    first = Value("BTCUSD", "1h", START, 1.0, known_from, until, known_from, True)
    second = Value("BTCUSD", "1h", START, 2.0, until, None, known_from, False)
    house = known_lake(of_sail, tmp_path / "lake", [first, second]).house
    labels: list[Label] = [(hour, "BTCUSD", START + hour * HOUR) for hour in range(6)]
    found = house.features_as_of(labels_of(of_sail, labels)).orderBy("number").collect()
    assert [row.close for row in found] == [None, None, 1.0, 1.0, 2.0, 2.0]
    assert found[2].feature_known_at.hour == 2


def test_after_a_candle_was_withdrawn_the_one_before_it_answers(
    of_sail: SparkSession, tmp_path: Path
) -> None:
    before = Value("BTCUSD", "1h", START, 1.0, START + HOUR, None, START + HOUR, True)
    born, gone, back = START + 2 * HOUR, START + 4 * HOUR, START + 6 * HOUR
    withdrawn = Value("BTCUSD", "1h", START + HOUR, 2.0, born, gone, born, True)
    returned = Value("BTCUSD", "1h", START + HOUR, 3.0, back, None, back, False)
    house = known_lake(of_sail, tmp_path / "lake", [before, withdrawn, returned]).house
    labels: list[Label] = [(hour, "BTCUSD", START + hour * HOUR) for hour in range(1, 8)]
    found = house.features_as_of(labels_of(of_sail, labels)).orderBy("number").collect()
    assert [row.close for row in found] == [1.0, 2.0, 2.0, 1.0, 1.0, 3.0, 3.0]


def test_each_label_may_name_its_own_timeframe_and_its_time_any_column(on_sail: Known) -> None:
    labels = [
        (n, pair, moment, timeframe)
        for n, pair, moment in LABELS[::7]
        for timeframe in ("1h", "4h")
    ]
    frame = on_sail.house.session.createDataFrame(
        labels, "number int, asset_pair string, traded_at timestamp, timeframe string"
    )
    found = on_sail.house.features_as_of(frame, at="traded_at", by=("asset_pair", "timeframe"))
    for timeframe in ("1h", "4h"):
        of_one = found.where(f"timeframe = '{timeframe}'")
        assert answers(of_one.withColumnRenamed("traded_at", "label_at")) == expected(
            on_sail.history, LABELS[::7], timeframe
        )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"at": "when"}, "no column when; they have number, asset_pair, label_at"),
        ({"by": ("provider",)}, "not by provider"),
        ({"by": ()}, "not by nothing"),
        ({"table": "gold.mart_daily_metrics"}, "of gold.mart_daily_metrics no replaced values"),
    ],
)
def test_what_cannot_be_joined_is_said(on_sail: Known, options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidQuery, match=words):
        on_sail.house.features_as_of(labels_of(on_sail.house.session, LABELS[:1]), **options)


def test_a_label_column_named_like_a_feature_is_refused(on_sail: Known) -> None:
    labels = labels_of(on_sail.house.session, LABELS[:1]).withColumnRenamed("number", "Close")
    with pytest.raises(InvalidQuery, match="named like features: close"):
        on_sail.house.features_as_of(labels)


def test_an_unknown_timeframe_is_answered_with_the_known(on_sail: Known) -> None:
    with pytest.raises(UnknownTimeframe, match="7m"):
        on_sail.house.features_as_of(labels_of(on_sail.house.session, LABELS[:1]), timeframe="7m")
