"""
# Maintain the tables

On the first of each month: compacts every table's files, in the Z-order that the registry names,
and removes files that no version within the table's retention needs (720 h where the registry does
not say otherwise).

**Reads and writes** every table of the lake. No row changes, and no version within the retention
becomes unreadable.

| task | does | when it fails |
|---|---|---|
| `tables` | lists what is in the lake | |
| `table.order` | compacts and orders a table | others wrote at the same time, more often than it tried: clear it |
| `table.vacuum` | lets old releases go, removes what neither the retention nor a kept release needs | the disk; the log says |
| `metrics` | metrics for Prometheus | harmless: clear it |
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import CronTriggerTimetable, dag, task, task_group

from orchestration.context import in_lakehouse
from orchestration.manners import default_args, tags
from orchestration.upkeep import metrics, named_for


@task
def tables() -> list[str]:
    """Every table of the lake."""
    with in_lakehouse() as settings:
        from lakehouse.time_travel import tables_on_disk

        return tables_on_disk(settings)


@task(map_index_template="{{ table }}")
def order(table: str) -> dict[str, int]:
    """Compact the table and order its rows."""
    with in_lakehouse() as settings:
        from spark_jobs import ops_upkeep

        return ops_upkeep.order(settings, named_for(table))


@task(map_index_template="{{ table }}")
def vacuum(table: str) -> dict[str, int]:
    """Remove the files that no version within the table's retention needs."""
    with in_lakehouse() as settings:
        from spark_jobs import ops_upkeep

        return ops_upkeep.vacuum(settings, named_for(table))


@task_group(group_id="table")
def each_table(table: str) -> None:
    order(table) >> vacuum(table)


@dag(
    schedule=CronTriggerTimetable("0 3 1 * *", timezone="UTC"),
    start_date=datetime(2020, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args=default_args(),
    tags=tags("bronze", "silver", "gold", "ops", tier=3),
    doc_md=__doc__,
)
def maintain_tables() -> None:
    each_table.expand(table=tables()) >> metrics()


maintain_tables()
