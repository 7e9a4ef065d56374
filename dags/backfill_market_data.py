"""
# Backfill market data

Lands a range of candles and builds silver and gold from them: press **Trigger** and fill the form.
The same code as `lakehouse backfill`; what has landed before is not fetched again.

**Reads** the chosen provider's API. **Writes** all tables of market data in bronze, silver and gold.

| task | does | when it fails |
|---|---|---|
| `plan` | checks the form, says what is missing; a dry run ends here | the form is wrong: its message says where |
| `asset.land` | fetches what is missing of an asset | the provider is down: it retries |
| `asset.gate_bronze` | gates it, publishes what passes | its message counts the bad rows and names the dead letters: mend the source, clear it |
| `build` | writes and gates silver and gold, long histories slice by slice | the log names the model or the gate; the tables are as they were |
| `report` | says what the lakehouse holds now | something before it failed |
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Param, TriggerRule, dag, get_current_context, task

from lakehouse.settings import load_settings
from lakehouse.timeframes import TIMEFRAMES
from orchestration.assets import assets_of
from orchestration.context import in_lakehouse, run_name
from orchestration.forms import moment
from orchestration.landing import each_asset
from orchestration.manners import default_args, tags
from orchestration.upkeep import report

SETTINGS = load_settings()
PARAMS = {
    "assets": Param(
        list(SETTINGS.airflow.assets),
        type="array",
        items={"type": "string", "enum": list(SETTINGS.assets)},
        examples=list(SETTINGS.assets),
        minItems=1,
        title="Assets",
        description="Base and quote with nothing between, as in conf/lakehouse.yml.",
    ),
    "timeframes": Param(
        list(SETTINGS.backfill.timeframes),
        type="array",
        items={"type": "string", "enum": list(TIMEFRAMES)},
        examples=list(TIMEFRAMES),
        minItems=1,
        title="Timeframes",
        description="Lengths of the candles.",
    ),
    "days": Param(
        SETTINGS.backfill.days,
        type=["null", "integer"],
        minimum=1,
        maximum=3650,
        title="Days",
        description="The last so many complete UTC days. Not heeded where From is given.",
    ),
    "from": moment("From", "First moment, UTC, inclusive. Takes the place of Days."),
    "to": moment("To", "Last moment, UTC, exclusive; now, where it is empty. Needs From."),
    "provider": Param(
        SETTINGS.provider,
        type="string",
        enum=list(SETTINGS.providers),
        title="Provider",
        description="Who is asked.",
    ),
    "force": Param(
        False,
        type="boolean",
        title="Force",
        description="Fetch again what has landed already; only what changed becomes new rows.",
    ),
    "dry_run": Param(
        False,
        type="boolean",
        title="Dry run",
        description="Only say what would be fetched; see the log of the task plan.",
    ),
}


@task
def plan() -> list[dict[str, Any]]:
    """The form, checked: an entry for each asset, none in a dry run."""
    with in_lakehouse() as settings:
        from spark_jobs import bronze_market_data

        context: Any = get_current_context()
        form = context["params"]
        wanted = bronze_market_data.wanted(settings, form, at=context["dag_run"].run_after)
        for one in wanted:
            bronze_market_data.describe(settings, one)
        return [] if form["dry_run"] else wanted


@task(trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS, outlets=assets_of("silver", "gold"))
def build() -> dict[str, Any]:
    """dbt writes silver and gold, and every table is gated."""
    with in_lakehouse() as settings:
        from spark_jobs import gold_market_data

        return gold_market_data.build(settings, run_name())


@dag(
    schedule=None,
    start_date=datetime(2020, 1, 1, tzinfo=UTC),
    max_active_runs=2,
    default_args=default_args(),
    params=PARAMS,
    tags=tags("bronze", "silver", "gold", tier=2),
    doc_md=__doc__,
)
def backfill_market_data() -> None:
    landed = each_asset.expand(wanted=plan())
    landed >> build() >> (told := report())
    landed >> told


backfill_market_data()
