"""Knowledge in SQL: the forms mean what the functions of the same names mean."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from lakehouse.errors import InvalidQuery, InvalidWindow, NotInRelease
from lakehouse.tables import bronze_table
from tests.knowledge.conftest import Known, known_lake
from tests.knowledge.histories import (
    COMPANION,
    ENRICHED,
    HOUR,
    START,
    known_then,
    random_history,
    record_release,
    write,
    write_rows,
)
from tests.knowledge.test_features import LABELS, answers, expected, labels_of

RELEASES = ("early", "late", "latest")
AT = START + 60 * HOUR
THEN = f"'{ENRICHED}', '{AT:%Y-%m-%dT%H:%M}'"


def rows(frame: DataFrame) -> list[tuple[Any, ...]]:
    return sorted((tuple(row.values()) for row in frame.toArrow().to_pylist()), key=str)


def label_view(known: Known) -> str:
    labels_of(known.house.session, LABELS[::5]).createOrReplaceTempView("labels_given")
    return "labels_given"


def test_both_forms_run_on_either_engine(known: Known) -> None:
    query = f"""
        with mine as (select * from {label_view(known)})
        select f.*, p.close as close_then
        from features_as_of((select * from mine), timeframe => '4h', known_at_close => true) as f
        left join point_in_time({THEN}) as p
            on f.asset_pair = p.asset_pair and p.timeframe = '4h' and f.feature_at = p.`timestamp`
    """
    found = known.house.sql(query)
    assert answers(found) == expected(known.history, LABELS[::5], "4h", at_close=True)
    then = known_then(known.history, AT)
    for row in found.toArrow().to_pylist():
        key = (row["asset_pair"], "4h", row["feature_at"])
        assert row["close_then"] == then.get(key)


@pytest.mark.parametrize("at_close", [False, True])
def test_point_in_time_is_a_table_that_can_be_filtered_and_aliased(
    on_sail: Known, at_close: bool
) -> None:
    option = ", known_at_close => true" if at_close else ""
    query = f"select p.close from point_in_time({THEN}{option}) p where asset_pair = 'BTCUSD'"
    known = known_then(on_sail.history, AT, at_close)
    assert rows(on_sail.house.sql(query)) == sorted(
        ((close,) for key, close in known.items() if key[0] == "BTCUSD"), key=str
    )


def test_a_time_may_be_written_as_a_timestamp_and_names_in_any_case(on_sail: Known) -> None:
    query = f"SELECT count(*) AS n FROM Point_In_Time('{ENRICHED.upper()}', timestamp '{AT}')"
    assert on_sail.house.sql(query).collect()[0].n == len(known_then(on_sail.history, AT))


def test_labels_may_be_a_table_a_query_or_another_form(on_sail: Known) -> None:
    given = label_view(on_sail)
    labels = f"(select asset_pair, known_from as label_at from point_in_time({THEN}) as p)"
    wanted = on_sail.house.features_as_of(on_sail.house.sql(labels), timeframe="4h")
    found = on_sail.house.sql(f"select * from features_as_of({labels}, timeframe => '4h')")
    assert rows(found) == rows(wanted)
    for text in (given, f"(select * from {given} where number >= 0)"):
        found = on_sail.house.sql(f"select * from features_as_of({text}, timeframe => '4h')")
        assert answers(found) == expected(on_sail.history, LABELS[::5], "4h")


def test_every_option_may_be_named(on_sail: Known) -> None:
    query = f"""
        with other as (select 1 as one),
        renamed as (select number, asset_pair, label_at as at, '4h' as timeframe from labels_given)
        select *, at as label_at from features_as_of(
            renamed, at => 'at', by => 'asset_pair, timeframe', features => '{ENRICHED}',
            timeframe => '1h', known_at_close => false
        )
    """
    label_view(on_sail)
    assert answers(on_sail.house.sql(query)) == expected(on_sail.history, LABELS[::5], "4h")


def test_the_words_in_texts_and_comments_are_left_alone(on_sail: Known) -> None:
    query = "select 'point_in_time(x)' as a -- features_as_of(y)"
    assert on_sail.house.sql(query).collect()[0].a == "point_in_time(x)"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (f"point_in_time('{ENRICHED}')", "needs a table and a time"),
        (f"point_in_time('{ENRICHED}', now())", r"now\(\) stands where a text in quotes is needed"),
        (f"point_in_time({THEN}, at => 'x')", "has no option at; it has known_at_close"),
        (f"point_in_time({THEN}, known_at_close => 'yes')", "must be true or false"),
        (f"point_in_time({THEN}, known_at_close => 1 + 1)", "must be a text in quotes, true or"),
        ("point_in_time('gold.x' '2026')", "cannot"),
        ("features_as_of()", "needs a query in brackets, or a table"),
        ("features_as_of(labels_given, at => true)", "at of features_as_of must be a text"),
        ("features_as_of((select 1 as n))", "no column label_at; they have n"),
        ("features_as_of((select nothing from labels_given))", "the labels of features_as_of"),
    ],
)
def test_a_form_that_is_wrong_is_explained(on_sail: Known, call: str, words: str) -> None:
    label_view(on_sail)
    with pytest.raises(InvalidQuery, match=words):
        on_sail.house.sql(f"select * from {call}")


def test_a_time_that_is_none_is_refused(on_sail: Known) -> None:
    with pytest.raises(InvalidWindow, match="'yesterday' is not a time"):
        on_sail.house.sql(f"select * from point_in_time('{ENRICHED}', 'yesterday')")


def test_a_cut_hides_what_was_learnt_after_it(of_sail: SparkSession, tmp_path: Path) -> None:
    known = known_lake(of_sail, tmp_path / "lake", random_history(4))
    record_release(known.settings, "early", dict.fromkeys((ENRICHED, COMPANION), 0))
    write(
        known.settings,
        [replace(value, asset_pair=f"X{value.asset_pair}") for value in known.history],
    )
    record_release(known.settings, "late", dict.fromkeys((ENRICHED, COMPANION), 1))
    count = f"select count(*) as n from point_in_time({THEN})"
    early = len(known_then(known.history, AT))
    answered = {name: known.house.sql(count, release=name).collect()[0].n for name in RELEASES}
    assert answered == {"early": early, "late": 2 * early, "latest": 2 * early}
    labels = "(select 'XBTCUSD' as asset_pair, timestamp '2026-01-02' as label_at)"
    join = f"select feature_at from features_as_of({labels})"
    assert known.house.sql(join, release="early").collect()[0].feature_at is None
    assert known.house.sql(join).collect()[0].feature_at is not None


def test_bronze_is_in_no_release(on_sail: Known) -> None:
    write_rows(on_sail.settings, bronze_table("1h"), [])
    record_release(on_sail.settings, "only", dict.fromkeys((ENRICHED, COMPANION), 0))
    query = "select * from point_in_time('bronze.raw_market_data_1h', '2026-01-01')"
    with pytest.raises(NotInRelease, match="raw_market_data_1h is not in release only"):
        on_sail.house.sql(query, release="only")
