"""
# Replay dead letters

Puts rejected rows through the same gate again, after a fix: press **Trigger**, name letters or
filter them. What passes lands and silver and gold are built from it; what fails again stays in the
queue, marked.

**Reads** the letters under `<lake>/dlq`. **Writes** the table each letter is of, and what is built
from it.

| task | does | when it fails |
|---|---|---|
| `replay` | gates the letters again | the form is wrong, a letter cannot be read, or a gate refuses what is built: its message says which |

See what there is with `lakehouse dlq list`; `lakehouse dlq show` explains one.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Param, dag, get_current_context, task

from lakehouse.tables import registry
from orchestration.assets import assets_of
from orchestration.context import in_lakehouse
from orchestration.forms import moment
from orchestration.manners import default_args, tags

GATED = [name for name in registry() if not name.startswith("ops.")]
PARAMS = {
    "letters": Param(
        [],
        type="array",
        items={"type": "string"},
        title="Letters",
        description="Their names, or the eight digits they end in. Empty: those that are filtered.",
    ),
    "table": Param(
        None,
        type=["null", "string"],
        enum=[None, *GATED],
        title="Table",
        description="Only letters of this table.",
    ),
    "reason": Param(
        None,
        type=["null", "string"],
        title="Reason",
        description="Only letters with this in a reason, e.g. high < low.",
    ),
    "since": moment("Since", "Only letters written from this moment on, UTC."),
    "limit": Param(
        100,
        type="integer",
        minimum=1,
        maximum=10_000,
        title="Limit",
        description="At most so many letters, the newest.",
    ),
}


@task(outlets=assets_of("silver", "gold"))
def replay() -> dict[str, Any]:
    """Gate the letters again, land what passes, build what that changes."""
    with in_lakehouse() as settings:
        from spark_jobs import bronze_dead_letters

        context: Any = get_current_context()
        letters = bronze_dead_letters.chosen(settings, context["params"])
        return bronze_dead_letters.replay(settings, letters)


@dag(
    schedule=None,
    start_date=datetime(2020, 1, 1, tzinfo=UTC),
    max_active_runs=1,
    default_args=default_args(),
    params=PARAMS,
    tags=tags("bronze", "silver", "gold", tier=2),
    doc_md=__doc__,
)
def replay_dead_letters() -> None:
    replay()


replay_dead_letters()
