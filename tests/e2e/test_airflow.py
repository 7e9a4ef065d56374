"""Airflow as people use it: signed in with a browser, by its REST API, from its command line."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import httpx
import polars as pl
import psutil
import pytest
from playwright.sync_api import Page, sync_playwright

from lakehouse import services
from lakehouse.orchestrator import API, PARTS
from tests.e2e.airflows import (
    ASSETS,
    CANDLES_A_DAY,
    Airflow,
    running_airflow,
    sign_in_of,
)
from tests.killing import kill

pytestmark = pytest.mark.e2e

CHROMIUM = "/usr/bin/chromium"
# Without them it looks for its maker's hosts at every start.
QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--no-sandbox",
)
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
DAILY, BACKFILL = "daily_market_data", "backfill_market_data"
TECHNICAL = "gold.mart_technical_indicators"


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    with running_airflow(tmp_path_factory.mktemp("airflow") / "lake") as running:
        running.unpause(BACKFILL)  # the others would begin by themselves
        yield running


@pytest.fixture
def page(airflow: Airflow) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(90_000)
        yield page
        browser.close()


Landed = Counter[tuple[str, str]]


def landed(rows: pl.DataFrame, days: set[str]) -> Landed:
    """Rows by asset and day, of those days."""
    dated = rows.select("asset_pair", pl.col("timestamp").dt.date().cast(pl.String))
    return Counter(row for row in dated.iter_rows() if row[1] in days)


def assert_landed_once(airflow: Airflow, days: set[str], assets: tuple[str, ...] = ASSETS) -> None:
    """Bronze and gold hold every candle of the days, once, of those assets and no others."""
    wanted = Counter({(asset_pair, day): CANDLES_A_DAY for asset_pair in assets for day in days})
    assert landed(airflow.lake.bronze(), days) == wanted
    assert landed(airflow.lake.frame(TECHNICAL), days) == wanted


def picture(page: Page, name: str) -> None:
    """Keep what the page shows, where somebody asked for it: see `make screenshots`."""
    if folder := os.environ.get("LAKEHOUSE_SCREENSHOTS"):
        page.wait_for_timeout(1_500)
        page.screenshot(path=Path(folder) / f"airflow_{name}.png")


def sign_in(page: Page, airflow: Airflow) -> None:
    page.goto(airflow.sign_in.url)
    page.get_by_label("Username").fill(airflow.sign_in.user)
    page.get_by_label("Password").fill(airflow.sign_in.password)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="Dags").first.wait_for()


def test_a_backfill_is_triggered_through_its_form_and_read_from_gold(
    airflow: Airflow, page: Page
) -> None:
    days = {str((TODAY - timedelta(days=back)).date()) for back in (1, 2)}
    sign_in(page, airflow)
    page.goto(f"{airflow.sign_in.url}/dags")
    page.get_by_text(BACKFILL).first.wait_for()
    picture(page, "dags")

    page.goto(f"{airflow.sign_in.url}/dags/{BACKFILL}")
    page.get_by_role("button", name="Trigger").first.click()
    form = page.get_by_role("dialog")
    form.get_by_text("The last so many complete UTC days.").wait_for()
    form.get_by_role("spinbutton").fill("2")
    picture(page, "form")
    form.get_by_role("button", name="Trigger").last.click()
    form.wait_for(state="hidden")

    run_id = airflow.first_run(BACKFILL)
    assert airflow.wait(BACKFILL, run_id) == "success", airflow.states(BACKFILL, run_id)
    page.goto(f"{airflow.sign_in.url}/dags/{BACKFILL}/runs/{quote(run_id)}")
    page.get_by_text("Success").first.wait_for()
    assert_landed_once(airflow, days)
    gold = airflow.lake.run(
        "sql", "select asset_pair, date from gold.mart_daily_metrics", "--format", "json"
    )
    assert {(row["asset_pair"], row["date"]) for row in gold.json} == {
        (asset_pair, day) for asset_pair in ASSETS for day in days
    }
    log = airflow.log(BACKFILL, run_id, "asset.gate_bronze", 0)
    assert "landed bronze.raw_market_data_1h: 48 new rows" in log


def test_a_backfill_is_triggered_by_rest_and_a_dry_run_only_tells(airflow: Airflow) -> None:
    form = {"assets": ["SOLUSD"], "from": "2026-02-01T00:00:00Z", "to": "2026-02-02T00:00:00Z"}
    dry = airflow.trigger(BACKFILL, form | {"dry_run": True})
    assert airflow.wait(BACKFILL, dry) == "success"
    assert "2026-02-01 00:00 to 2026-02-02 00:00, 24 candles" in airflow.log(BACKFILL, dry, "plan")
    assert airflow.states(BACKFILL, dry)["build"] == "skipped"

    run_id = airflow.trigger(BACKFILL, form)
    assert airflow.wait(BACKFILL, run_id) == "success", airflow.states(BACKFILL, run_id)
    assert_landed_once(airflow, {"2026-02-01"}, ("SOLUSD",))


def test_eight_people_who_write_at_once_all_get_their_answer(airflow: Airflow) -> None:
    days = [f"2026-02-0{day}" for day in range(1, 9)]  # none runs, its DAG is paused
    for _ in range(2):
        with ThreadPoolExecutor(len(days)) as people:
            runs = list(people.map(lambda day: airflow.trigger(DAILY, day=day), days))
            assert sorted(airflow.runs(DAILY)) == sorted(runs)
            list(people.map(lambda run: airflow.forget(DAILY, run), runs))
        assert airflow.runs(DAILY) == {}


def test_a_wrong_form_is_refused_in_words(airflow: Airflow) -> None:
    backwards = {"from": "2026-02-03T00:00:00Z", "to": "2026-02-02T00:00:00Z"}
    run_id = airflow.trigger(BACKFILL, backwards)
    assert airflow.wait(BACKFILL, run_id) == "failed"
    assert [task["try_number"] for task in airflow.tasks(BACKFILL, run_id)][:1] == [1]
    assert "The time range is wrong: it ends" in airflow.log(BACKFILL, run_id, "plan")
    with pytest.raises(AssertionError, match="FOOBAR"):
        airflow.trigger(BACKFILL, {"assets": ["FOOBAR"]})


def test_three_days_land_exactly_though_scheduler_and_engine_are_killed(airflow: Airflow) -> None:
    days = {"2026-03-02", "2026-03-03", "2026-03-04"}
    airflow.unpause(DAILY)
    what = ("--dag-id", DAILY, "--from-date", min(days), "--to-date", max(days))
    created = airflow.lake.run("airflow", "backfill", "create", *what, "--max-active-runs", "3")
    assert created.code == 0, created.err
    run_ids = {run for run in airflow.runs(DAILY) if run.startswith("backfill__")}
    assert len(run_ids) == 3
    await_tasks(airflow, run_ids, "gate_bronze", 2)
    kill_service(airflow, "airflow-scheduler")
    kill_service(airflow, "engine")
    assert sign_in_of(airflow.lake.run("up")) == airflow.sign_in
    await_tasks(airflow, run_ids, "gate_market_data_enriched", 1)
    kill_service(airflow, "engine")
    for run_id in run_ids:
        assert airflow.wait(DAILY, run_id) == "success", airflow.states(DAILY, run_id)
    assert_landed_once(airflow, days)

    assert any(f"{DAILY} (backfill__" in subject for subject in airflow.webhook.subjects())

    airflow.wait_for_backfill(DAILY)
    versions = airflow.lake.versions()
    again = ("--reprocess-behavior", "completed")
    assert airflow.lake.run("airflow", "backfill", "create", *what, *again).code == 0
    assert {airflow.runs(DAILY)[run_id] for run_id in run_ids} <= {"queued", "running"}
    for run_id in run_ids:
        assert airflow.wait(DAILY, run_id) == "success", airflow.states(DAILY, run_id)
    assert airflow.lake.versions() == versions


def await_tasks(airflow: Airflow, run_ids: set[str], task: str, count: int) -> None:
    """Wait until so many tasks of that name have succeeded."""
    deadline = time.monotonic() + 300
    done = 0
    while done < count:
        assert time.monotonic() < deadline
        time.sleep(0.5)
        states = (airflow.states(DAILY, run_id).items() for run_id in run_ids)
        done = sum(task in name and state == "success" for one in states for name, state in one)


def kill_service(airflow: Airflow, name: str) -> None:
    running = services.find(airflow.lake.root, name)
    assert running
    kill(running)


def test_a_corrupted_asset_fails_at_its_gate_alone_and_clearing_mends_the_day(
    airflow: Airflow, page: Page
) -> None:
    airflow.exchange.change(corrupted_candles=1, symbols=("ETHUSDT",))
    run_id = airflow.trigger(DAILY, day="2026-04-01")
    airflow.unpause(DAILY)
    assert airflow.wait(DAILY, run_id) == "failed"
    states = airflow.states(DAILY, run_id)
    assert states["asset.gate_bronze[BTCUSD]"] == states["gold.gate_marts"] == "success"
    assert states["asset.gate_bronze[ETHUSD]"] == "failed"
    assert states["report"] == "upstream_failed"
    assert_landed_once(airflow, {"2026-04-01"}, ("BTCUSD",))
    (index,) = (
        task["map_index"]
        for task in airflow.tasks(DAILY, run_id)
        if task["task_id"] == "asset.gate_bronze" and task["state"] == "failed"
    )
    log = airflow.log(DAILY, run_id, "asset.gate_bronze", index)
    assert "6 of 6 rows" in log
    assert "price at or below the asset's minimum (" in log
    assert f"{airflow.lake.root}/dlq/raw_market_data_4h/dlq_" in log
    assert f"{DAILY}.asset.gate_bronze[{index}] failed" in airflow.webhook.subjects()
    assert "Traceback" not in airflow.log(DAILY, run_id, "asset.land", index)

    airflow.exchange.reset()
    cleared = {
        "dag_run_id": run_id,
        "task_ids": [["asset.gate_bronze", index]],
        "include_downstream": True,
        "only_failed": False,
        "dry_run": False,
    }
    airflow.ask("POST", f"/dags/{DAILY}/clearTaskInstances", cleared)
    assert airflow.wait(DAILY, run_id) == "success", airflow.states(DAILY, run_id)
    assert_landed_once(airflow, {"2026-04-01"})
    sign_in(page, airflow)
    page.goto(f"{airflow.sign_in.url}/dags/{DAILY}/runs/{quote(run_id)}")
    page.get_by_label("Show Graph").click()
    page.get_by_text("gate_bronze").first.wait_for()
    picture(page, "graph")


def test_the_other_dags_do_their_work(airflow: Airflow) -> None:
    airflow.unpause("replay_dead_letters")
    runs = {"replay_dead_letters": airflow.trigger("replay_dead_letters")}
    for dag_id in ("refresh_gold_marts", "maintain_tables"):
        airflow.unpause(dag_id)  # which begins the run that was due last
        runs[dag_id] = airflow.first_run(dag_id)
    before = {name: airflow.lake.content(name) for name in airflow.lake.versions()}
    for dag_id, run_id in runs.items():
        assert airflow.wait(dag_id, run_id) == "success", airflow.states(dag_id, run_id)
    assert {name: airflow.lake.content(name).height for name in before} == {
        name: content.height for name, content in before.items()
    }
    assert (
        "pipeline_ingestion_records_total"
        in (airflow.lake.root / "metrics" / "lakehouse.prom").read_text()
    )


def test_airflow_listens_on_loopback_only_and_asks_for_a_password_of_its_own(
    airflow: Airflow,
) -> None:
    parts = [services.find(airflow.lake.root, name) for name in (API, *PARTS)]
    listening = {
        connection.laddr.ip
        for part in parts
        if part
        for process in services.family(part)
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}
    assert httpx.get(f"{airflow.sign_in.url}/api/v2/dags").status_code == 401
    for guess in ("admin", "airflow"):
        given = {"username": "admin", "password": guess}
        answer = httpx.post(f"{airflow.sign_in.url}/auth/token", json=given)
        assert answer.status_code == 401
    logs = (airflow.lake.root / ".services").rglob("*.log")
    assert not any(airflow.sign_in.password in log.read_text() for log in logs)
