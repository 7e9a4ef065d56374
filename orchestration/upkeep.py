"""Upkeep as tasks, at the end of what changes tables."""

from __future__ import annotations

from typing import Any

from airflow.sdk import TriggerRule, get_current_context, task

from orchestration.context import in_lakehouse, run_name


@task
def dbt_tests() -> dict[str, Any]:
    """dbt's own tests over silver and gold as they stand."""
    with in_lakehouse() as settings:
        from spark_jobs import gold_market_data

        return gold_market_data.test(settings, run_name())


@task
def compact() -> dict[str, int]:
    """Few files of many, in the tables that have many."""
    with in_lakehouse() as settings:
        from spark_jobs import ops_upkeep

        return ops_upkeep.compact(settings)


@task(trigger_rule=TriggerRule.ALL_DONE)
def metrics() -> str:
    """The metrics' text file, also after a failure: that is when they are looked at."""
    with in_lakehouse() as settings:
        from spark_jobs import ops_upkeep

        return str(ops_upkeep.count(settings))


@task
def report() -> list[dict[str, Any]]:
    """What is in the lakehouse now. Fails with whatever failed before it, and the run with it."""
    with in_lakehouse() as settings:
        from spark_jobs import ops_upkeep

        return ops_upkeep.report(settings)


def named_for(table: str) -> str:
    """The table; the task is shown under its name."""
    context: Any = get_current_context()
    context["table"] = table
    return table
