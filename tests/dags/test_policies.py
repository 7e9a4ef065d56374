"""What every DAG owes its users, held against the DAGs as Airflow itself loads them."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lakehouse.places import PROJECT
from lakehouse.tables import registry, stages
from orchestration.manners import LAYERS, RETRIES, TIERS

DAGS = PROJECT / "dags"
FILES = sorted(DAGS.glob("*.py"))
NAMES = {
    "backfill_market_data",
    "daily_market_data",
    "maintain_tables",
    "refresh_gold_marts",
    "replay_dead_letters",
    "watch_streams",
}
# Loaded where nothing else is, as the DAG processor does, so that each pays for its own imports.
LOAD = """
import json, sys, time
from airflow.dag_processing.dagbag import DagBag
began = time.perf_counter()
bag = DagBag(sys.argv[1], collect_dags=False)
dags = bag.process_file(sys.argv[1], only_if_updated=False)
seconds = time.perf_counter() - began
told = {
    "errors": bag.import_errors,
    "seconds": seconds,
    "modules": sorted({name.split(".")[0] for name in sys.modules}),
    "dags": [
        {
            "dag_id": dag.dag_id,
            "tags": sorted(dag.tags),
            "doc": dag.doc_md or "",
            "catchup": dag.catchup,
            "has_deadline": bool(dag.deadline),
            "params": {name: dag.params.get_param(name).description for name in dag.params},
            "tasks": [
                {
                    "task_id": task.task_id,
                    "owner": task.owner,
                    "retries": task.retries,
                    "delay": task.retry_delay.total_seconds(),
                    "has_callback": bool(task.on_failure_callback),
                    "doc": task.python_callable.__doc__ or "",
                    "outlets": sorted(asset.name for asset in task.outlets),
                    "upstream": sorted(task.upstream_task_ids),
                }
                for task in dag.tasks
            ],
        }
        for dag in dags
    ],
}
json.dump(told, open(sys.argv[2], "w"))
"""
HEAVY = {"pyspark", "dbt", "great_expectations", "pandas", "polars", "deltalake", "ccxt", "grpc"}


@pytest.fixture(scope="module", params=FILES, ids=lambda path: path.stem)
def loaded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    home = tmp_path_factory.mktemp("airflow")
    environment = {
        "PATH": str(Path(sys.executable).parent),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
    }
    told = home / "told.json"
    command = [sys.executable, "-W", "ignore", "-c", LOAD, str(request.param), str(told)]
    subprocess.run(command, check=True, env=environment, capture_output=True)  # noqa: S603
    return {"file": request.param.stem, **json.loads(told.read_text())}


def test_the_dags_are_all_there() -> None:
    assert {path.stem for path in FILES} == NAMES


def test_a_dag_loads_without_errors_and_is_named_like_its_file(loaded: dict[str, Any]) -> None:
    assert loaded["errors"] == {}
    assert [dag["dag_id"] for dag in loaded["dags"]] == [loaded["file"]]


def test_nothing_heavy_is_imported_to_load_a_dag(loaded: dict[str, Any]) -> None:
    assert HEAVY & set(loaded["modules"]) == set()


def test_a_dag_loads_within_two_seconds(loaded: dict[str, Any]) -> None:
    # A limit that Airflow's users feel, a tenth of which is what it takes.
    assert loaded["seconds"] < 2


def test_tags_are_of_the_closed_set(loaded: dict[str, Any]) -> None:
    (dag,) = loaded["dags"]
    layers = {tag for tag in dag["tags"] if tag.startswith("layer/")}
    tiers = set(dag["tags"]) - layers
    assert layers
    assert layers <= {f"layer/{layer}" for layer in LAYERS}
    assert len(tiers) == 1
    assert tiers <= {f"tier/{tier}" for tier in TIERS}


def test_every_task_has_an_owner_retries_an_alert_and_words(loaded: dict[str, Any]) -> None:
    (dag,) = loaded["dags"]
    assert dag["tasks"]
    for task in dag["tasks"]:
        assert task["owner"] == "market-data"
        assert (task["retries"], task["delay"]) == (RETRIES, timedelta(minutes=5).total_seconds())
        assert task["has_callback"]
        assert task["doc"], task["task_id"]


def test_the_docs_say_what_is_read_and_written_and_what_to_do(loaded: dict[str, Any]) -> None:
    (dag,) = loaded["dags"]
    assert "**Reads" in dag["doc"]
    assert "rites**" in dag["doc"]
    assert "when it fails" in dag["doc"]
    for task in dag["tasks"]:
        label = task["task_id"].split(".")[-1]
        stem = label.split("_")[0]
        assert f"{label}`" in dag["doc"] or f".{stem}_…`" in dag["doc"], task["task_id"]


def test_every_field_of_a_form_has_help(loaded: dict[str, Any]) -> None:
    (dag,) = loaded["dags"]
    assert all(dag["params"].values())
    assert bool(dag["params"]) == (
        loaded["file"] in ("backfill_market_data", "replay_dead_letters")
    )


def test_only_the_daily_dag_has_a_deadline_and_none_catches_up(loaded: dict[str, Any]) -> None:
    (dag,) = loaded["dags"]
    assert dag["has_deadline"] == (dag["dag_id"] == "daily_market_data")
    assert not dag["catchup"]


def test_the_daily_dag_writes_every_table_behind_the_gates_of_what_it_reads(
    loaded: dict[str, Any],
) -> None:
    (dag,) = loaded["dags"]
    if dag["dag_id"] != "daily_market_data":
        return
    upstream = {task["task_id"]: set(task["upstream"]) for task in dag["tasks"]}
    outlets = {name for task in dag["tasks"] for name in task["outlets"]}
    filled = (t for t in registry().values() if t.layer != "ops" and not t.is_streamed)
    assert outlets == {table.full_name for table in filled}
    gate_of = {
        name: task["task_id"]
        for task in dag["tasks"]
        for name in task["outlets"]
        if ".gate_" in task["task_id"]
    }
    for stage in stages():
        gate = gate_of[stage[0].full_name]
        before = all_before(upstream, gate)
        assert {gate_of[name] for table in stage for name in table.reads} <= before


def all_before(upstream: dict[str, set[str]], task_id: str) -> set[str]:
    found: set[str] = set()
    waiting = [task_id]
    while waiting:
        new = upstream[waiting.pop()] - found
        found |= new
        waiting += new
    return found
