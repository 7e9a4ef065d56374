"""
# Daily market data

Lands the candles of one UTC day and builds silver and gold from them. Due at 01:00 UTC for the day
before. Days may run in any order and side by side:

    airflow backfill create --dag-id daily_market_data --from-date 2026-01-01 --to-date 2026-01-03

**Reads** the configured provider's API for each asset of the setting `airflow.assets`.
**Writes** all tables of market data in bronze, silver and gold, and the metrics' text file.

| task | does | when it fails |
|---|---|---|
| `plan` | says which assets and which day | a wrong setting, which its message names |
| `asset.land` | fetches what is missing of the day | the provider is down: it retries |
| `asset.gate_bronze` | gates it, publishes what passes | its message counts the bad rows and names the dead letters: mend the source, clear it |
| `silver.dbt_…`, `gold.dbt_…` | dbt writes what arrived | the log names the model |
| `silver.gate_…`, `gold.gate_…` | gates what dbt wrote; a refusal puts it back | as `gate_bronze` |
| `dbt_tests` | dbt's tests over silver and gold | the log names the test |
| `compact`, `metrics` | few files of many; metrics for Prometheus | harmless: clear it |
| `report` | says what the lakehouse holds now | something before it failed |

An asset whose gate fails does not hold the others back; the run still ends as failed, so that it is
seen. **Clear the failed task with what is downstream:** it fetches again what was refused. Nothing
is landed or built twice, however often anything is cleared.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import chain, dag, task

from orchestration.context import day_of_run, in_lakehouse
from orchestration.landing import each_asset
from orchestration.manners import deadline, default_args, tags
from orchestration.stages import stage_group
from orchestration.timetable import EachDay
from orchestration.upkeep import compact, dbt_tests, metrics, report


@task
def plan() -> list[dict[str, Any]]:
    """The day's candles of every asset, an entry for each."""
    with in_lakehouse() as settings:
        start, end = day_of_run()
        days = {"start": start.isoformat(), "end": end.isoformat()}
        return [{"assets": [asset_pair], **days} for asset_pair in settings.airflow.assets]


@dag(
    schedule=EachDay(),
    start_date=datetime(2020, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=4,
    dagrun_timeout=timedelta(hours=12),
    default_args=default_args(),
    deadline=deadline(),
    tags=tags("bronze", "silver", "gold", tier=1),
    doc_md=__doc__,
)
def daily_market_data() -> None:
    landed, tested, told = each_asset.expand(wanted=plan()), dbt_tests(), report()
    built = stage_group("silver"), stage_group("gold")
    chain(landed, *built, tested, compact(), metrics(), told)
    # What a trigger rule lets pass on the way still fails the run.
    [landed, tested] >> told


daily_market_data()
