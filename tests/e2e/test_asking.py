"""Asking a finished lake, rightly and wrongly: answers can be read, refusals are one line."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.lakes import Lake, ended, new_lake

pytestmark = pytest.mark.e2e

DAYS = ("--from", "2026-03-02", "--to", "2026-03-04", "--timeframes", "1h,1d")
BACKFILL = ("backfill", "--assets", "BTCUSD")
DAILY = "gold.mart_daily_metrics"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """Two days of hours and days of one asset, built, and never changed."""
    with new_lake(tmp_path_factory.mktemp("asked") / "lake") as lake:
        assert lake.backfill(*BACKFILL[1:], *DAYS)["rows_new"] == 2 * 25
        yield lake


@pytest.mark.parametrize(
    "arguments",
    [
        ("tables",),
        ("status",),
        ("doctor",),
        ("history", DAILY),
        ("sql", f"select * from {DAILY}"),
        ("read", DAILY),
        ("read", DAILY, "--version", "0", "--limit", "1"),
        ("dlq", "list"),
        (*BACKFILL, *DAYS, "--dry-run"),
    ],
    ids=" ".join,
)
def test_listings_are_json_on_demand(lake: Lake, arguments: tuple[str, ...]) -> None:
    ran = lake.run(*arguments, "--json")
    assert ran.code == 0, ran.err
    assert isinstance(json.loads(ran.out), list)


def test_the_installed_command_answers_in_csv(lake: Lake) -> None:
    query = f"select asset_pair, date from {DAILY} order by date"
    ran = ended(lake.start("sql", query, "--format", "csv"))
    assert (ran.code, ran.err) == (0, "")
    assert list(csv.reader(io.StringIO(ran.out))) == [
        ["asset_pair", "date"],
        ["BTCUSD", "2026-03-02"],
        ["BTCUSD", "2026-03-03"],
    ]


def test_upkeep_changes_no_value(lake: Lake) -> None:
    before = lake.content("silver.market_data_enriched")
    assert "up to date" in lake.run("build").out
    assert lake.run("optimize", "silver.market_data_enriched").code == 0
    assert "would be removed" in lake.run("vacuum", DAILY, "--dry-run").out
    assert lake.content("silver.market_data_enriched").equals(before)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("backfill", "--asets", "BTCUSD"), "--asets"),
        (("backfil",), "backfil"),
        (("backfill",), "--assets"),
        (("backfill", "--assets", "NOPE", "--days", "1"), "Unknown asset NOPE"),
        ((*BACKFILL, "--days", "1", "--timeframes", "7m"), "Unknown timeframe 7m"),
        ((*BACKFILL, "--days", "-1"), "--days"),
        ((*BACKFILL, "--days", "many"), "--days"),
        ((*BACKFILL, "--from", "yesterday"), "yesterday"),
        ((*BACKFILL, "--from", "2026-03-04", "--to", "2026-03-02"), "before it starts"),
        ((*BACKFILL, "--days", "1", "--provider", "nobody"), "Unknown provider nobody"),
        ((*BACKFILL, "--days", "1", "--window", "0d"), "--window"),
        ((*BACKFILL, "--resume", "--restart"), "--restart"),
        ((*BACKFILL, "--resume"), "No unfinished backfill"),
        (("sql", "select nothing from"), "query"),
        (("sql", "select * from gold.nothing"), "nothing"),
        (("sql", f"delete from {DAILY}"), "reads and changes nothing"),
        (("read", "gold.nothing"), "There is no table gold.nothing"),
        (("read", DAILY, "--where", "no such column"), "filter"),
        (("read", DAILY, "--version", "99"), "has no version 99"),
        (("read", DAILY, "--as-of", "2020-01-01"), "did not exist"),
        (("history", "gold.nothing"), "There is no table gold.nothing"),
        (("optimize", "gold.nothing"), "There is no table gold.nothing"),
        (("vacuum", DAILY, "--retention-hours", "1"), "safe retention"),
        (("dlq", "show", "nothing"), "no dead letter nothing"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_wrong_request_gets_one_line_and_no_stack(
    lake: Lake, arguments: tuple[str, ...], words: str
) -> None:
    ran = lake.run(*arguments)
    assert ran.code in (1, 2), ran
    assert words in ran.err
    assert sum("Error" in line for line in ran.err.splitlines()) == 1, ran.err
    assert "Traceback" not in ran.err
    assert "at org.apache" not in ran.err


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("LAKEHOUSE__ENGINE", "abacus", "engine"),
        ("LAKEHOUSE__TOLERANCE", "2", "tolerance"),
        ("LAKEHOUSE__BACKFILL__DAYS", "-7", "backfill.days"),
        ("LAKEHOUSE__BACKFILL__TIMEFRAMES", '["9m"]', "backfill.timeframes"),
        ("LAKEHOUSE__PROVIDERS__BINANCE__BASE_URL", "not a url", "providers.binance.base_url"),
        ("LAKEHOUSE__NO_SUCH_THING", "1", "no_such_thing"),
        ("LAKEHOUSE_CONFIG", "/nowhere.yml", "/nowhere.yml"),
    ],
)
def test_a_wrong_setting_is_named_before_anything_runs(
    tmp_path: Path, setting: str, value: str, words: str
) -> None:
    lake = Lake(tmp_path / "lake")
    ran = lake.run(*BACKFILL, "--days", "1", **{setting: value})
    assert ran.code == 2, ran
    assert words in ran.err
    assert len(ran.err.strip().splitlines()) == 1
    assert not lake.root.exists()


def test_verbose_shows_where_it_went_wrong(lake: Lake) -> None:
    ran = ended(lake.start("--verbose", "read", "gold.nothing"))
    assert ran.code == 2
    assert "Traceback" in ran.err
    assert ran.err.splitlines()[-1].startswith("Error: There is no table gold.nothing")


def test_a_dry_run_says_what_it_would_fetch_and_leaves_no_trace(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    lake = Lake(tmp_path / "lake")
    request.addfinalizer(lake.stop)
    ran = lake.run(*BACKFILL, *DAYS, "--dry-run", "--json")
    wanted = [
        {"timeframe": "1d", "windows": 2, "calls": 1, "candles": 2},
        {"timeframe": "1h", "windows": 2, "calls": 1, "candles": 48},
    ]
    assert [{name: row[name] for name in wanted[0]} for row in ran.json] == wanted
    assert not lake.root.exists()
