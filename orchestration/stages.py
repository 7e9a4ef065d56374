"""The build as tasks: of each stage one that has dbt write it and one that gates it."""

from __future__ import annotations

from typing import Any

from airflow.sdk import TaskGroup, TriggerRule, XComArg, task

from lakehouse.tables import Table, stages
from orchestration.assets import asset, assets_of
from orchestration.context import in_lakehouse, run_name

Stage = list[Table]


def stage_group(layer: str) -> TaskGroup:
    """The tasks of a layer. One waits for the gates of what its tables read, within the layer.

    The first begins when all before it is done and some of it well: what one asset failed to bring
    does not hold back what the others did.
    """
    with TaskGroup(layer) as group:
        gates: dict[str, XComArg] = {}
        for stage in [stage for stage in stages() if stage[0].layer == layer]:
            written = _write(stage, is_first=not gates)
            gated = _gate(stage)
            read = {name for table in stage for name in table.reads if name in gates}
            [gates[name] for name in sorted(read)] >> written >> gated
            gates |= {table.full_name: gated for table in stage}
    return group


def _write(stage: Stage, is_first: bool) -> XComArg:
    rule = TriggerRule.ALL_DONE_MIN_ONE_SUCCESS if is_first else TriggerRule.ALL_SUCCESS

    @task(task_id=f"dbt_{_subject(stage)}", inlets=_read(stage), trigger_rule=rule)
    def write() -> dict[str, Any]:
        """dbt writes what passed the gates before."""
        with in_lakehouse() as settings:
            from spark_jobs import gold_market_data

            return gold_market_data.write(settings, stage, run_name())

    return write()


def _gate(stage: Stage) -> XComArg:
    outlets = [asset(table) for table in stage]

    @task(task_id=f"gate_{_subject(stage)}", inlets=_read(stage), outlets=outlets)
    def gate() -> dict[str, Any]:
        """What dbt wrote is gated; a refusal puts it back."""
        with in_lakehouse() as settings:
            from spark_jobs import gold_market_data

            return gold_market_data.gate(settings, stage, run_name())

    return gate()


def _subject(stage: Stage) -> str:
    return stage[0].name if len(stage) == 1 else "marts"


def _read(stage: Stage) -> list[Any]:
    read = {name for table in stage for name in table.reads}
    tables = [asset(table) for one in stages() for table in one if table.full_name in read]
    return tables or assets_of("bronze")
