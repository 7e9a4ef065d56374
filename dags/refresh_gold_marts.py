"""
# Refresh the gold marts

Brings the gold marts up to silver: every hour, and whenever the silver tables have been
written and gated. Without news it does nothing, in a second.

**Reads** the silver tables. **Writes** the gold marts.

| task | does | when it fails |
|---|---|---|
| `gold.dbt_marts` | dbt writes what silver brought | the log names the model; the marts are as they were |
| `gold.gate_marts` | gates what dbt wrote; a refusal puts it back | its message counts the bad rows and names the dead letters |
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import AssetAll, AssetOrTimeSchedule, CronTriggerTimetable, dag

from orchestration.assets import assets_of
from orchestration.manners import default_args, tags
from orchestration.stages import stage_group


@dag(
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("0 * * * *", timezone="UTC"),
        assets=AssetAll(*assets_of("silver")),
    ),
    start_date=datetime(2020, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args=default_args(),
    tags=tags("gold", tier=2),
    doc_md=__doc__,
)
def refresh_gold_marts() -> None:
    stage_group("gold")


refresh_gold_marts()
