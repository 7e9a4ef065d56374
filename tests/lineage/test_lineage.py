"""What is made of what, drawn and told as events; no engine is needed for any of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from deltalake import write_deltalake

from lakehouse import ops
from lakehouse.cli.app import main
from lakehouse.errors import UnknownRun
from lakehouse.lineage import (
    above,
    arrows,
    arrows_of,
    as_json,
    below,
    events,
    made_from,
    made_of,
    mermaid,
    sources,
    steps_of,
    tables,
)
from lakehouse.outcomes import Outcome, Recorder
from lakehouse.places import PROJECT
from lakehouse.settings import Settings, load_settings
from lakehouse.tables import registry, table_named
from lakehouse.timeframes import TIMEFRAMES

ENRICHED = "silver.market_data_enriched"
DAILY = "gold.mart_daily_metrics"
BRONZE = "bronze.raw_market_data_1h"
RUN = "20260302T000000-abcdef"


def test_silver_is_made_of_the_bronze_tables_that_its_staging_reads() -> None:
    assert made_of(ENRICHED) == tuple(f"bronze.raw_market_data_{each}" for each in TIMEFRAMES)
    assert made_of("silver.trade_aggregates") == ("bronze.raw_trades",)
    assert made_of(BRONZE) == ()


def test_what_is_below_comes_after_what_it_is_made_of() -> None:
    found = below(BRONZE)
    assert found[0] == ENRICHED
    assert DAILY in found
    assert made_from("bronze.raw_prices") == ("silver.stg_prices",)
    assert above(DAILY)[-1] == ENRICHED
    assert BRONZE in above(DAILY)


def test_every_table_with_data_is_drawn(settings: Settings) -> None:
    drawn = arrows(settings)
    targets = {arrow.target for arrow in drawn}
    assert {t.full_name for t in tables() if t.timeframe is None} <= targets
    assert all(arrow.source in targets | set(sources(drawn)) for arrow in drawn)
    assert {*settings.providers, "files", "topic stock-trades"} <= set(sources(drawn))


NODE = re.compile(r'    (\w+)(?:\(\["([^"]+)"\]\)|\[\("([^"]+)"\)\])')
EDGE = re.compile(r'    (\w+) -- "[^"]+" --> (\w+)')


def test_mermaid_declares_each_node_once_and_joins_only_what_it_declared(
    settings: Settings,
) -> None:
    first, *lines = mermaid(arrows(settings)).splitlines()
    assert first == "flowchart LR"
    nodes = [match[1] for line in lines if (match := NODE.fullmatch(line))]
    edges = [match.groups() for line in lines if (match := EDGE.fullmatch(line))]
    assert len(nodes) + len(edges) == len(lines)
    assert len(set(nodes)) == len(nodes)
    assert {name for edge in edges for name in edge} == set(nodes)


def test_the_page_shows_the_drawing_and_its_text() -> None:
    page = (PROJECT / "docs" / "explain.md").read_text()
    assert page.count(mermaid(arrows(load_settings()))) == 2


@pytest.fixture
def ran(settings: Settings) -> Settings:
    """A lake with a run of seven steps, two of which failed."""
    write(settings, BRONZE)
    ops.append(settings, "ops.progress", [progress("1h"), progress("1d")])
    recorder = Recorder(settings, RUN)
    step(recorder, "fetch", "BTCUSD 1h", rows_out=24)
    step(recorder, "fetch", "BTCUSD 1d", error="the provider is down")
    step(recorder, "gate", "bronze.raw_market_data", rows_in=24, rows_rejected=1)
    step(recorder, "publish", BRONZE, rows_out=23, version=0)
    write(settings, ENRICHED)
    step(recorder, "dbt", "market_data_enriched")
    step(recorder, "dbt model", "market_data_enriched", rows_out=23, version=0)
    step(recorder, "gate", ENRICHED, rows_in=23, error="nothing is good enough")
    recorder.flush()
    return settings


def write(settings: Settings, name: str) -> None:
    path = str(table_named(name).path(settings.lake))
    write_deltalake(path, pl.DataFrame({"a": [1]}).to_arrow())


def progress(timeframe: str, **changes: Any) -> dict[str, Any]:
    what = {"run_id": RUN, "asset_pair": "BTCUSD", "timeframe": timeframe, "provider": "simulated"}
    return {**what, "status": "landed", "served_by": "simulated", **changes}


def step(recorder: Recorder, name: str, subject: str, error: str = "", **facts: int) -> None:
    try:
        with recorder.step(name, subject) as outcome:
            vars(outcome).update(vars(Outcome(**facts)))
            if error:
                raise RuntimeError(error)
    except RuntimeError:
        pass


def test_a_step_reads_and_writes_what_the_one_before_left(ran: Settings) -> None:
    steps = {each.job: each for each in steps_of(ran, RUN)}
    names = {job: [d.name for d in each.inputs] for job, each in steps.items()}
    assert names["fetch BTCUSD 1h"] == ["BTCUSD 1h"]
    assert [d.namespace for d in steps["fetch BTCUSD 1h"].inputs] == ["simulated"]
    assert names["gate bronze.raw_market_data"] == ["landing/BTCUSD 1d", "landing/BTCUSD 1h"]
    assert names[f"publish {BRONZE}"] == ["landing/BTCUSD 1h"]
    assert names["dbt model market_data_enriched"] == [BRONZE]
    written = steps["dbt model market_data_enriched"].outputs
    assert [(dataset.name, dataset.version) for dataset in written] == [(ENRICHED, 0)]
    assert steps["fetch BTCUSD 1d"].outputs == ()


def test_a_run_that_nobody_knows_is_a_wrong_usage(ran: Settings) -> None:
    with pytest.raises(UnknownRun, match=f"run nope is known. The latest run: {RUN}"):
        steps_of(ran, "nope")


def test_a_replay_reads_dead_letters_and_a_dump_its_file(settings: Settings) -> None:
    recorder = Recorder(settings, RUN)
    step(recorder, "publish", BRONZE, rows_out=1, version=0)
    recorder.flush()
    (publish,) = steps_of(settings, RUN)
    assert [dataset.name for dataset in publish.inputs] == ["dead letters"]
    ops.append(settings, "ops.progress", [progress("1h", served_by="/dumps/BTCUSDT-1h.zip")])
    (publish,) = steps_of(settings, RUN)
    (file,) = publish.inputs
    assert (file.namespace, file.name) == ("file", "/dumps/BTCUSDT-1h.zip")


def test_a_run_is_drawn_with_what_its_steps_wrote(ran: Settings) -> None:
    text = mermaid(arrows_of(steps_of(ran, RUN)))
    assert '(["simulated BTCUSD 1h"])' in text
    assert (
        'landing_BTCUSD_1h -- "publish: 23 rows, version 0" --> bronze_raw_market_data_1h' in text
    )
    assert text.count("market_data_enriched[(") == 1


def test_events_come_in_pairs_and_say_versions_rows_and_errors(ran: Settings) -> None:
    told = [json.loads(as_json(event)) for event in events(ran, RUN, steps_of(ran, RUN))]
    assert [event["eventTime"] for event in told] == sorted(event["eventTime"] for event in told)
    by_run: dict[str, list[dict[str, Any]]] = {}
    for event in told:
        by_run.setdefault(event["run"]["runId"], []).append(event)
    ends = {}
    for pair in by_run.values():
        start, end = sorted(pair, key=lambda event: event["eventType"] != "START")
        assert (start["eventType"], start["job"]["name"]) == ("START", end["job"]["name"])
        assert "outputs" not in start or start["outputs"] == []
        ends[end["job"]["name"]] = end
    built = ends["dbt model market_data_enriched"]
    assert built["eventType"] == "COMPLETE"
    (output,) = built["outputs"]
    assert (output["namespace"], output["name"]) == ("lakehouse", ENRICHED)
    assert output["facets"]["version"]["datasetVersion"] == "0"
    assert output["outputFacets"]["outputStatistics"]["rowCount"] == 23
    assert len(output["facets"]["schema"]["fields"]) == len(registry()[ENRICHED].columns)
    failed = ends[f"gate {ENRICHED}"]
    assert failed["eventType"] == "FAIL"
    message = failed["run"]["facets"]["errorMessage"]["message"]
    assert message == "RuntimeError: nothing is good enough"
    assert failed["inputs"][0]["inputFacets"]["inputStatistics"]["rowCount"] == 23
    parents = {event["run"]["facets"]["parent"]["run"]["runId"] for event in told}
    assert len(parents) == 1


def test_a_run_told_twice_is_the_same_run(ran: Settings) -> None:
    first, second = (
        [as_json(event) for event in events(ran, RUN, steps_of(ran, RUN))] for _ in range(2)
    )
    assert first == second


def test_an_input_has_the_version_that_was_current_when_the_step_began(ran: Settings) -> None:
    write_deltalake(
        str(table_named(ENRICHED).path(ran.lake)),
        pl.DataFrame({"a": [2]}).to_arrow(),
        mode="append",
    )
    later = datetime.now(UTC) + timedelta(seconds=1)
    row = {"run_id": "later", "step": "dbt model", "subject": "mart_daily_metrics"}
    ops.append(ran, "ops.outcomes", [{**row, "status": "success", "started_at": later}])
    (gate,) = [each for each in steps_of(ran, RUN) if each.job == f"gate {ENRICHED}"]
    (mart,) = steps_of(ran, "later")
    assert [dataset.version for dataset in (*gate.inputs, *mart.inputs)] == [0, 1]


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(str(ended.value.code or 0))


@pytest.fixture
def on_the_lake(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The command line works on the lake."""
    monkeypatch.setenv("LAKEHOUSE__ROOT", str(settings.lake))
    load_settings.cache_clear()
    yield
    load_settings.cache_clear()


@pytest.mark.usefixtures("on_the_lake", "ran")
def test_the_command_prints_each_form(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("lineage") == 0
    assert "└── silver.trade_aggregates (stream, gate)" in capsys.readouterr().out
    assert run("lineage", "--json") == 0
    arrow = {"from": "bronze.raw_trades", "to": "silver.trade_aggregates", "steps": "stream, gate"}
    assert arrow in json.loads(capsys.readouterr().out)
    assert run("lineage", "--run", "latest", "--json") == 0
    assert len(json.loads(capsys.readouterr().out)) == 7
    assert run("lineage", "--run", RUN) == 0
    assert f"{BRONZE} v0" in capsys.readouterr().out
    assert run("lineage", "--format", "mermaid") == 0
    assert capsys.readouterr().out.startswith("flowchart LR\n")
    assert run("lineage", "--format", "openlineage") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len([json.loads(line) for line in lines]) == 14
    assert run("lineage", "--run", "nope") == 2


@pytest.mark.usefixtures("on_the_lake")
def test_a_lake_where_nothing_ran_has_no_events(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("lineage", "--format", "openlineage") == 0
    assert capsys.readouterr().out == ""
