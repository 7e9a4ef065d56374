"""dbt's own tests hold on what was built, and fail when they should."""

from __future__ import annotations

import json

import pytest
from deltalake import DeltaTable, write_deltalake

from lakehouse.dbt_project import log_path, new_manifest, preparse, quietly
from lakehouse.errors import BuildFailed
from lakehouse.outcomes import Recorder
from lakehouse.tables import built_tables, table_named
from lakehouse.transform import run_dbt
from tests.builds.lakes import DAILY, Lake


def dbt(lake: Lake, *command: str) -> Recorder:
    recorder = Recorder(lake.settings, "run-1")
    run_dbt(lake.session, lake.settings, recorder, command, {})
    return recorder


def test_the_tests_of_every_model_pass(whole: Lake) -> None:
    outcomes = dbt(whole, "test", "--select", "test_type:data").pending
    assert len(outcomes) > 40
    assert {outcome["status"] for outcome in outcomes} == {"success"}


def test_the_arithmetic_of_the_models_is_that_of_their_unit_tests(whole: Lake) -> None:
    outcomes = dbt(whole, "test", "--select", "test_type:unit").pending
    assert len(outcomes) == 6
    assert {outcome["status"] for outcome in outcomes} == {"success"}


def test_a_repeated_key_fails_the_tests(copy: Lake) -> None:
    path = str(table_named(DAILY).path(copy.settings.lake))
    repeated = DeltaTable(path).to_pyarrow_table().slice(0, 1)
    write_deltalake(path, repeated, mode="append")
    with pytest.raises(BuildFailed, match="unique_combination_mart_daily_metrics"):
        dbt(copy, "test", "--select", "mart_daily_metrics")


def test_every_model_is_described_in_what_the_docs_are_made_of(
    whole: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBT_WRITE_JSON", "true")
    dbt(whole, "test", "--select", "mart_daily_metrics")
    manifest = json.loads((log_path(whole.settings) / "manifest.json").read_text())
    models = [n for n in manifest["nodes"].values() if n["resource_type"] == "model"]
    assert len(models) == 7
    assert all(model["description"] for model in models)
    # The registry reads the models' SQL itself: it must see what dbt sees.
    depends = {f"{m['schema']}.{m['name']}": m["depends_on"]["nodes"] for m in models}
    for table in built_tables():
        reads = {f"model.lakehouse.{name.split('.')[1]}" for name in table.reads}
        ephemeral = {"model.lakehouse.stg_market_data"}
        assert {n for n in depends[table.full_name] if n.startswith("model.")} - ephemeral == reads


def test_what_models_call_is_compiled_once_for_all_builds(whole: Lake) -> None:
    from dbt_common.clients.jinja import template_cache

    template_cache.clear()
    preparse(whole.settings)
    with quietly(whole.settings) as places:
        macros = new_manifest(whole.settings, places).macros.values()
    waiting = {m.package_name for m in macros if m.macro_sql not in template_cache.file_cache}
    assert waiting == {"dbt"}
