"""The story of a row, told of a real lake on Sail: all tests share one history."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from deltalake import DeltaTable

from lakehouse import ops
from lakehouse.cli.app import main
from lakehouse.commits import version_of
from lakehouse.errors import InvalidRow, UnknownAsset, UnknownTable, UnknownTimeframe
from lakehouse.explain import History, Story, as_object, explain
from lakehouse.lineage import events, latest_run, steps_of
from lakehouse.releases import kept_releases
from lakehouse.settings import Settings, load_settings
from lakehouse.tables import table_named
from tests.explain.lakes import (
    AFTER_MENDED,
    ANALYSIS,
    BRONZE,
    DAILY,
    ENRICHED,
    MENDED,
    OUTAGE,
    REFUSED,
    REGIMES,
    TECHNICAL,
    Lake,
    lake_with_a_history,
    rows_at,
)

CANDLE = [BRONZE, ENRICHED, ANALYSIS, DAILY, REGIMES, TECHNICAL]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    with lake_with_a_history(tmp_path_factory.mktemp("explained") / "lake") as lake:
        yield lake


def told(
    settings: Settings, table: str, time: str, timeframe: str | None = None, asset: str = "BTCUSD"
) -> Story:
    moment = datetime.fromisoformat(time).replace(tzinfo=UTC)
    return explain(settings, table, asset, moment, timeframe)


def of(story: Story, table: str) -> History:
    return next(each for each in story.histories if each.span.table.full_name == table)


def test_a_candle_names_the_call_it_came_with_and_who_was_asked(lake: Lake) -> None:
    story = told(lake.settings, BRONZE, AFTER_MENDED)
    (row,) = story.origin.rows
    assert (row["provider"], row["is_in_silver"]) == ("simulated", True)
    (call,) = story.origin.calls
    assert call["source"].startswith(f"{lake.url}/api/v3/klines?symbol=BTCUSDT&interval=1h")
    (attempt,) = story.origin.attempts
    assert (attempt["status"], attempt["rows_fetched"]) == ("landed", 24)
    assert attempt["batch_id"] == row["batch_id"] == call["batch_id"]
    assert attempt["run_id"] == call["run_id"]


def test_a_candle_passed_the_gate_of_its_batch_and_one_behind_each_build_that_wrote_it(
    lake: Lake,
) -> None:
    story = told(lake.settings, ENRICHED, AFTER_MENDED, "1h")
    tables = [gate["table"] for gate in story.gates]
    assert tables[0] == BRONZE
    assert story.gates[0]["refused_for"]["volume < 0"] == 1
    assert tables.count(ENRICHED) == 2
    builds = {gate["batch_id"] for gate in story.gates[1:]}
    assert len(builds) == 2
    checked = [gate["checked_at"] for gate in story.gates if gate["table"] == ENRICHED]
    for version, time in zip(of(story, ENRICHED).versions, checked, strict=True):
        assert version.committed_at < time


def test_a_candle_is_followed_through_all_tables_by_their_own_keys(lake: Lake) -> None:
    story = told(lake.settings, BRONZE, AFTER_MENDED)
    assert [history.span.table.full_name for history in story.histories] == CANDLE
    times = [history.span.first for history in story.histories]
    opened, closed = datetime(2026, 1, 6, 16, tzinfo=UTC), datetime(2026, 1, 6, 17, tzinfo=UTC)
    day, month = datetime(2026, 1, 6, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
    assert times == [opened, opened, closed, day, month, opened]
    assert [span.table.full_name for span in story.dependents] == CANDLE[1:]
    assert {row["market_regime"] for row in of(story, REGIMES).versions[-1].rows or []} == {
        "range",
        "trend",
        "volatile",
    }


def test_a_late_candle_changes_those_after_it_and_what_they_said_before_is_told(
    lake: Lake,
) -> None:
    story = told(lake.settings, ENRICHED, AFTER_MENDED, "1h")
    assert story.verdict == f"It is in {ENRICHED}, changed once since it was written."
    first, second = of(story, ENRICHED).versions
    assert first.changes == {}
    before, after = second.changes["sma_20"]
    assert first.rows is not None
    assert second.rows is not None
    assert (before, after) == (first.rows[0]["sma_20"], second.rows[0]["sma_20"])
    assert "close" not in second.changes
    (superseded,) = story.superseded
    assert superseded["sma_20"] == before
    assert superseded["known_from"] < superseded["known_until"]


def test_each_kept_release_is_named_beside_the_version_it_holds(lake: Lake) -> None:
    (history,) = [
        each
        for each in as_object(told(lake.settings, ENRICHED, AFTER_MENDED, "1h"))["histories"]
        if each["row"]["table"] == ENRICHED
    ]
    *_, second, first = [release.name for release in kept_releases(lake.settings)]
    assert [version["releases"] for version in history["versions"]] == [[first], [second]]
    assert [version["what"] for version in history["versions"]] == ["written", "changed"]


def test_the_versions_are_those_that_reading_each_table_at_each_version_finds(lake: Lake) -> None:
    for time in (AFTER_MENDED, MENDED, REFUSED, "2026-01-05T00:00"):
        for history in told(lake.settings, BRONZE, time).histories:
            assert history.present is not None
            for version in range(history.present + 1):
                found = history.at(version)
                expected = rows_at(lake.settings, history.span, version)
                assert (found.rows if found else []) == expected


def test_a_mended_candle_was_in_bronze_from_its_replay_on(lake: Lake) -> None:
    story = told(lake.settings, BRONZE, MENDED)
    assert story.verdict == f"It is in {BRONZE}, as it was written."
    assert [version.version for version in of(story, BRONZE).versions] == [2]
    changed = of(story, DAILY).versions[1].changes
    assert changed["candle_count"] == (23, 24) or "volume" in changed


def test_a_day_is_made_of_its_candles(lake: Lake) -> None:
    story = told(lake.settings, DAILY, "2026-01-06")
    counted = {row["timeframe"]: row["candles"] for row in story.origin.rows}
    assert counted == {"1h": 24, "1d": 1}
    assert story.rows[0]["source_timeframe"] == "1h"
    assert story.dependents == []


def test_a_reading_is_made_of_the_candles_that_closed_last(lake: Lake) -> None:
    story = told(lake.settings, ANALYSIS, "2026-01-06T05:00")
    assert {row["timeframe"]: row["timestamp"].hour for row in story.origin.rows} == {
        "1h": 4,
        "1d": 0,
    }


def test_a_time_between_two_candles_means_the_one_that_was_open(lake: Lake) -> None:
    story = told(lake.settings, BRONZE, "2026-01-05T05:17:03")
    assert story.rows[0]["timestamp"] == datetime(2026, 1, 5, 5, tzinfo=UTC)


def test_a_refused_candle_is_found_in_its_dead_letter_as_it_arrived(lake: Lake) -> None:
    story = told(lake.settings, BRONZE, REFUSED)
    assert story.verdict == (
        f"It is not in {BRONZE}: the gate refused it (close is missing or not a number)."
    )
    (refusal,) = story.refusals
    assert refusal["record"]["close"] is None
    assert refusal["record"]["raw"][4] is None
    assert [gap["gap_class"] for gap in story.gaps] == ["rejected"]
    assert [gate["table"] for gate in story.gates] == [BRONZE]
    assert all(history.versions == [] for history in story.histories)


def test_a_refused_candle_is_missed_in_silver_for_the_same_reason(lake: Lake) -> None:
    story = told(lake.settings, ENRICHED, REFUSED, "1h")
    assert story.verdict.startswith(f"It never arrived: the gate of {BRONZE} refused it (close")


def test_a_discarded_letter_is_found_as_well(lake: Lake, tmp_path: Path) -> None:
    settings = lake.copied_to(tmp_path / "lake")
    (letter,) = (settings.lake / "dlq" / "raw_market_data_1h").glob("*.json")
    archive = settings.lake / "dlq" / "archive" / "raw_market_data_1h"
    archive.mkdir(parents=True)
    letter.rename(archive / letter.name)
    (refusal,) = told(settings, BRONZE, REFUSED).refusals
    assert refusal["is_discarded"]


def test_an_outage_is_told_with_the_attempts_that_failed(lake: Lake) -> None:
    story = told(lake.settings, BRONZE, OUTAGE)
    assert story.verdict.startswith("It never arrived: a gap of class outage")
    assert [attempt["status"] for attempt in story.origin.attempts] == ["failed"]
    assert "after 1 attempts" in story.origin.attempts[0]["error"]


def test_a_candle_that_nobody_asked_for_says_so(lake: Lake) -> None:
    assert told(lake.settings, BRONZE, "2026-02-05T03:00").verdict == (
        "It never arrived: nobody has asked for it."
    )
    assert told(lake.settings, BRONZE, "2100-02-05T03:00").verdict == (
        "It never arrived: its time has not come yet."
    )


def test_what_bronze_has_and_silver_has_not_asks_for_a_build(lake: Lake, tmp_path: Path) -> None:
    settings = lake.copied_to(tmp_path / "lake")
    table = DeltaTable(str(table_named(ENRICHED).path(settings.lake)))
    table.delete("timeframe = '1h' AND hour = 16")
    story = told(settings, ENRICHED, AFTER_MENDED, "1h")
    assert story.verdict == f"It was in {ENRICHED}, and is no more; bronze has what it is made of."
    assert of(story, ENRICHED).versions[-1].rows == []


def test_a_vacuumed_version_is_said_to_be_gone(lake: Lake, tmp_path: Path) -> None:
    settings = lake.copied_to(tmp_path / "lake")
    table = DeltaTable(str(table_named(DAILY).path(settings.lake)))
    table.vacuum(0, dry_run=False, enforce_retention_duration=False)
    (history,) = told(settings, DAILY, "2026-01-06").histories
    assert [version.rows is None for version in history.versions] == [True, False]
    (daily,) = as_object(told(settings, DAILY, "2026-01-06"))["histories"]
    assert [version["what"] for version in daily["versions"]] == ["vacuumed", "written"]


def test_what_the_log_has_forgotten_is_not_guessed(lake: Lake, tmp_path: Path) -> None:
    settings = lake.copied_to(tmp_path / "lake")
    path = table_named(ENRICHED).path(settings.lake)
    for version in (0, 1):
        DeltaTable(str(path), version=version).create_checkpoint()
    (path / "_delta_log" / f"{0:020d}.json").unlink()
    found = of(told(settings, ENRICHED, AFTER_MENDED, "1h"), ENRICHED)
    assert (found.known_from, [version.version for version in found.versions]) == (0, [0, 1])
    (path / "_delta_log" / f"{0:020d}.checkpoint.parquet").unlink()
    (path / "_delta_log" / f"{1:020d}.json").unlink()
    found = of(told(settings, ENRICHED, AFTER_MENDED, "1h"), ENRICHED)
    assert [version.version for version in found.versions] == [1]
    assert (
        as_object(told(settings, ENRICHED, AFTER_MENDED, "1h"))["histories"][1]["versions"][0][
            "what"
        ]
        == "there before"
    )


@pytest.mark.parametrize(
    ("table", "asset", "timeframe", "error"),
    [
        ("silver.nothing", "BTCUSD", None, UnknownTable),
        (BRONZE, "FOOBAR", None, UnknownAsset),
        (ENRICHED, "BTCUSD", "2m", UnknownTimeframe),
        (ENRICHED, "BTCUSD", None, InvalidRow),
        (BRONZE, "BTCUSD", "4h", InvalidRow),
        (DAILY, "BTCUSD", "1d", InvalidRow),
        ("ops.runs", "BTCUSD", None, InvalidRow),
        ("silver.trade_aggregates", "NOBODY:HASIT", None, InvalidRow),
    ],
)
def test_a_row_that_no_table_can_have_is_a_wrong_usage(
    lake: Lake, table: str, asset: str, timeframe: str | None, error: type[Exception]
) -> None:
    with pytest.raises(error) as raised:
        told(lake.settings, table, "2026-01-05", timeframe, asset)
    assert getattr(raised.value, "exit_code", None) == 2


@pytest.fixture
def on_the_lake(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The command line works on the lake."""
    monkeypatch.setenv("LAKEHOUSE__ROOT", str(lake.settings.lake))
    load_settings.cache_clear()
    yield
    load_settings.cache_clear()


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(str(ended.value.code or 0))


@pytest.mark.usefixtures("on_the_lake")
def test_the_command_tells_it_in_sections(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("explain", ENRICHED, "BTCUSD", AFTER_MENDED, "--timeframe", "1h") == 0
    said = capsys.readouterr().out
    titles = (
        "Where it came from",
        "Which gates it met",
        "Every version of it",
        "What silver said before",
        "What depends on it",
        "What it says now",
    )
    assert [said.find(title) for title in titles] == sorted(said.find(title) for title in titles)
    assert all(title in said for title in titles)
    assert all(len(line) <= 160 or "http://" in line for line in said.splitlines())
    assert run("explain", BRONZE, "BTCUSD", REFUSED) == 0
    assert "raw [" in " ".join(capsys.readouterr().out.split())


@pytest.mark.usefixtures("on_the_lake")
def test_the_command_gives_one_object_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("explain", DAILY, "BTCUSD", "2026-01-06", "--json") == 0
    (story,) = json.loads(capsys.readouterr().out)
    assert story["row"] == {
        "table": DAILY,
        "asset_pair": "BTCUSD",
        "timeframe": None,
        "date": "2026-01-06T00:00:00Z",
    }
    assert story["now"][0]["date"] == "2026-01-06"
    assert [version["version"] for version in story["histories"][0]["versions"]] == [0, 1]
    assert run("explain", "silver.nothing", "BTCUSD", "2026-01-06") == 2
    assert run("explain", BRONZE, "BTCUSD", "yesterday") == 2


def test_every_step_leaves_an_outcome_with_what_it_wrote(lake: Lake) -> None:
    rows = ops.read(lake.settings, "ops.outcomes").to_pylist()
    failed = [row for row in rows if row["step"] == "fetch" and row["status"] == "error"]
    assert {row["subject"] for row in failed} == {"BTCUSD 1h", "BTCUSD 1d"}
    assert all("SourceUnavailable" in row["error"] for row in failed)
    written = {(row["step"], row["subject"], row["rows_out"], row["version"]) for row in rows}
    assert ("fetch", "BTCUSD 1h", 48, None) in written
    assert ("publish", BRONZE, 46, 1) in written
    assert ("replay", "dead letters", 1, None) in written
    assert ("publish", BRONZE, 1, 2) in written
    assert ("dbt model", "market_data_enriched", 48, 0) in written
    assert ("dbt model", "mart_daily_metrics", 1, 1) in written
    nothing = [row for row in rows if row["rows_out"] == 0]
    assert all(row["version"] is None for row in nothing)
    for row in rows:
        if row["step"] == "dbt model" and row["version"] is not None:
            layer = "gold" if row["subject"].startswith("mart") else "silver"
            present = version_of(lake.settings.lake / layer / row["subject"])
            assert row["version"] <= (present or 0)


def test_a_real_run_becomes_events_that_the_clients_classes_accept(lake: Lake) -> None:
    run_id = latest_run(lake.settings)
    assert run_id is not None
    told = events(lake.settings, run_id, steps_of(lake.settings, run_id))
    states = [str(event.eventType.value) for event in told if event.eventType]
    assert states.count("START") == len(states) / 2
    assert states.count("FAIL") == 2
