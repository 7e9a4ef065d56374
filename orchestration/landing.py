"""Landing as tasks: an asset's candles are fetched, then gated, apart from those of the others."""

from __future__ import annotations

from typing import Any

from airflow.sdk import get_current_context, task, task_group

from orchestration.assets import assets_of
from orchestration.context import in_lakehouse, run_name

# Arguments of lakehouse.backfill.make_request for one asset; times as ISO texts.
Wanted = dict[str, Any]


@task_group(group_id="asset")
def each_asset(wanted: Wanted) -> None:
    """Fetch what is missing of an asset, then gate it and publish what passes."""
    land(wanted) >> gate_bronze(wanted)  # type: ignore[operator]


@task(map_index_template="{{ asset_pair }}")
def land(wanted: Wanted) -> dict[str, Any]:
    """Fetch what is missing, into landing files."""
    with in_lakehouse() as settings:
        from lakehouse.backfill import make_request
        from spark_jobs import bronze_market_data

        name = _named(wanted)
        return bronze_market_data.fetch(settings, make_request(settings, **wanted), name)


@task(map_index_template="{{ asset_pair }}", outlets=assets_of("bronze"))
def gate_bronze(wanted: Wanted) -> dict[str, Any]:
    """Gate what was fetched; what passes becomes rows of bronze."""
    with in_lakehouse() as settings:
        from lakehouse.backfill import make_request
        from spark_jobs import bronze_market_data

        name = _named(wanted)
        return bronze_market_data.land(settings, make_request(settings, **wanted), name)


def _named(wanted: Wanted) -> str:
    """The work's name; the task's own is shown with the asset's."""
    (asset_pair,) = wanted["assets"]
    context: Any = get_current_context()
    context["asset_pair"] = asset_pair
    return run_name(asset_pair)
