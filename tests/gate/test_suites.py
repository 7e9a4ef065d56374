"""The suites in `expectations/`, and what is said of a wrong one."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from pyspark.sql import SparkSession

from lakehouse.errors import InvalidSuite, UnknownTable
from lakehouse.gate import Gate, suite_of
from lakehouse.gate.suites import EXPECTATIONS, load_suite
from lakehouse.settings import load_settings
from lakehouse.tables import built_tables, registry
from tests.gate.candles import candle, frame_of

BUILT = [table.full_name for table in built_tables()]
STREAMED = [name for name, table in registry().items() if table.is_streamed]
NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
# Values that every silver and gold suite accepts, by the column's name, else by its type.
BY_NAME: dict[str, Any] = {
    "timeframe": "1h",
    "source_timeframe": "1h",
    "timestamp": datetime(2026, 3, 3, 8, tzinfo=UTC),
    "known_until": datetime(2026, 3, 3, 13, tzinfo=UTC),
    "market_regime": "trend",
    "confluence_trend": "mixed",
    "rsi_zone": "neutral",
    "hour": 8,
    "day_of_week": 2,
}
BY_TYPE: dict[str, Any] = {
    "string": "up",
    "double": 1.0,
    "int": 3,
    "bigint": 3,
    "boolean": True,
    "date": date(2026, 3, 3),
    "timestamp": NOW,
}


def row_of(table: str) -> dict[str, Any]:
    """A row that is good in every table."""
    columns = registry()[table].columns
    row = {c.name: BY_NAME.get(c.name, BY_TYPE[c.type]) for c in columns}
    return row | {name: "trend" for name in row if name.startswith("regime_")}


def variants(table: str) -> dict[str, list[dict[str, Any]]]:
    """Batches for a table's gate, by what is special about them."""
    needed = {c.reason.split()[0] for c in suite_of(table).checks if " is missing" in c.reason}
    good, numbers = row_of(table), numbers_of(table)
    changes: dict[str, dict[str, Any]] = {
        "good": {},
        "NaN": dict.fromkeys(numbers, math.nan),
        "infinite": dict.fromkeys(numbers, math.inf),
        "bare": {name: None for name in good if name not in needed},
    }
    # Each has an asset of its own, for the key of a built table does not have the batch in it.
    batches = {name: [good | change | {"asset_pair": name}] for name, change in changes.items()}
    return batches | {"twice": [good, good]}


def numbers_of(table: str) -> list[str]:
    return [column.name for column in registry()[table].columns if column.type == "double"]


@pytest.fixture(scope="module", params=BUILT)
def table(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def reasons(session: SparkSession, table: str) -> dict[str, set[str]]:
    """What the gate of the table has against each of the variants."""
    rows = [(name, *row.values()) for name, batch in variants(table).items() for row in batch]
    ddl = registry()[table].ddl.replace("batch_id string", "landed_with string")
    frame = session.createDataFrame(rows, f"batch_id string, {ddl}")
    gate = Gate(table, load_settings(), NOW)
    verdicts = gate.judge(gate.annotate(frame)).verdicts
    return {verdict.batch_id: set(verdict.reasons) for verdict in verdicts}


def test_every_table_that_people_read_has_a_suite() -> None:
    guarded = [suite_of(name).name for name, table in registry().items() if table.layer != "ops"]
    assert len(set(guarded)) == 1 + len(BUILT) + len(STREAMED)


def test_a_good_row_passes_the_suite_of_its_table(reasons: dict[str, set[str]]) -> None:
    assert reasons["good"] == set()


@pytest.mark.parametrize("kind", ["NaN", "infinite"])
def test_nan_and_infinity_are_caught_in_every_number_of_a_table(
    reasons: dict[str, set[str]], table: str, kind: str
) -> None:
    said = {reason.split()[0] for reason in reasons[kind] if " or " in reason}
    assert said >= set(numbers_of(table))


def test_indicators_may_be_missing_while_their_window_is_not_full(
    reasons: dict[str, set[str]],
) -> None:
    assert reasons["bare"] == set()


def test_two_rows_of_one_key_are_both_refused(reasons: dict[str, set[str]], table: str) -> None:
    (reason,) = reasons["twice"] & {c.reason for c in suite_of(table).checks}
    assert reason.startswith("two rows of one")


def write_suite(folder: Path, *checks: dict[str, Any], **more: Any) -> Path:
    path = folder / "bronze" / "raw_market_data.yml"
    path.parent.mkdir(parents=True)
    path.write_text(yaml.safe_dump({"expectations": list(checks), **more}))
    return path


def check(**changes: Any) -> dict[str, Any]:
    good = {
        "expect": "expect_column_values_to_not_be_null",
        "kwargs": {"column": "close"},
        "severity": "fail",
        "reason": "close is missing",
    }
    return {name: value for name, value in (good | changes).items() if value is not None}


def gate_with(monkeypatch: pytest.MonkeyPatch, path: Path) -> Gate:
    suite = load_suite(path)
    monkeypatch.setattr("lakehouse.gate.gate.suite_of", lambda table: suite)
    return Gate("bronze.raw_market_data", load_settings(), NOW)


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"severity": None}, "severity"),
        ({"severity": "maybe"}, "severity"),
        ({"reason": None}, "reason"),
        ({"expect": None}, "expect"),
        ({"when": "sometimes"}, "when"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_suite_of_the_wrong_form_is_named_with_what_is_wrong(
    tmp_path: Path, wrong: dict[str, Any], problem: str
) -> None:
    path = write_suite(tmp_path, check(**wrong))
    with pytest.raises(InvalidSuite, match=problem) as caught:
        load_suite(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"expect": "expect_the_unexpected"}, "there is no expectation expect_the_unexpected"),
        ({"kwargs": {"column": "clsoe"}}, "clsoe"),
        ({"kwargs": {"column": "provider_number"}}, "provider_number"),
        ({"kwargs": {}}, "column"),
        ({"kwargs": {"column": "close", "colour": "red"}}, "colour"),
        ({"kwargs": {"column": "close", "mostly": 0.9}}, "mostly"),
        ({"kwargs": {"column": "close", "row_condition": "open > 0"}}, "row_condition"),
        ({"expect": "expect_column_values_to_be_increasing"}, "order"),
        (
            {
                "expect": "expect_column_quantile_values_to_be_between",
                "kwargs": {
                    "column": "close",
                    "quantile_ranges": {"quantiles": [0.5], "value_ranges": [[0, 1]]},
                },
            },
            "cannot be computed",
        ),
    ],
)
def test_a_check_that_cannot_be_made_is_named_before_any_row_is_read(
    spark: SparkSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    wrong: dict[str, Any],
    problem: str,
) -> None:
    path = write_suite(tmp_path, check(**wrong))
    gate = gate_with(monkeypatch, path)
    with pytest.raises(InvalidSuite, match=problem) as caught:
        gate.annotate(frame_of(spark, [candle()]))
    assert str(path) in str(caught.value)


def test_two_checks_may_not_give_the_same_reason(tmp_path: Path) -> None:
    path = write_suite(tmp_path, check(), check(kwargs={"column": "open"}))
    with pytest.raises(InvalidSuite, match="two expectations have the reason"):
        load_suite(path)


def test_a_suite_that_is_not_yaml_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.yml"
    path.write_text("expectations: [")
    with pytest.raises(InvalidSuite, match=r"broken\.yml"):
        load_suite(path)


def test_a_table_without_a_suite_is_named() -> None:
    with pytest.raises(UnknownTable, match=r"gold\.nothing"):
        suite_of("gold.nothing")


def test_a_check_of_the_whole_batch_condemns_all_of_it(
    session: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_least = check(
        expect="expect_table_row_count_to_be_between",
        kwargs={"min_value": 3},
        reason="fewer than three candles",
    )
    gate = gate_with(monkeypatch, write_suite(tmp_path, at_least, check()))
    rows = frame_of(session, [candle(minute) for minute in range(2)])
    (verdict,) = gate.judge(gate.annotate(rows)).verdicts
    assert (verdict.rejected, verdict.is_quarantined) == (0, True)
    assert verdict.batch_failures == ("fewer than three candles",)


def test_the_suites_name_every_helper_column_they_use() -> None:
    described = (EXPECTATIONS / "bronze" / "raw_market_data.yml").read_text().split("tables:")[0]
    from lakehouse.gate.helpers import MAKERS

    assert [name for name in MAKERS if name not in described] == []
