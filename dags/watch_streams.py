"""
# Watch the streams

Every 5 minutes: starts what died of the streams that the setting `streams.watched` names, and
brings trades that came too late into their candles. With no stream named it does nothing.

**Reads** the processes of the lake, and bronze.raw_trades. **Writes** silver.trade_aggregates; the
streams it starts write their own tables.

| task | does | when it fails |
|---|---|---|
| `keep_alive` | looks whether a stream's producer and job live, and starts them if not; says `alive` or `restarted` | its message names the log of what did not start, or the broker that is away |
| `bring_in_late` | computes anew the minutes that late trades belong to; says how many candles changed | the disk, or the table: the log says; nothing is lost, the next run brings them in |
| `gate` | gates the candles that changed | its message counts the bad candles and names the dead letters |

A failed task is tried again within seconds, and by the next run. A stream that is restarted in run
after run dies of something: read the end of `<lake>/.services/trades-stream.log` and
`trades-producer.log`. Nothing is lost meanwhile that was accepted: it waits on disk or in the topic.

**To stop a watched stream, pause this DAG first;** else it is started again. A stream that runs in
the foreground is not seen here: take it out of `streams.watched`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import CronTriggerTimetable, dag, get_current_context, task

from lakehouse.settings import load_settings
from lakehouse.tables import table_named
from orchestration.assets import asset
from orchestration.context import in_lakehouse, run_name, without_airflow
from orchestration.manners import default_args, tags


@task(map_index_template="{{ stream }}")
def keep_alive(stream: str) -> str:
    """Start the stream again if its producer or its job is dead."""
    context: Any = get_current_context()
    context["stream"] = stream
    with in_lakehouse() as settings, without_airflow():
        from spark_jobs import bronze_streams

        return bronze_streams.watch(settings, stream)


@task(outlets=[asset(table_named("silver.trade_aggregates"))])
def bring_in_late() -> int:
    """Bring in the trades that came too late for their minute."""
    with in_lakehouse() as settings:
        from spark_jobs import silver_trade_aggregates

        return silver_trade_aggregates.bring_in_late(settings)


@task
def gate() -> dict[str, int]:
    """Gate the candles of trades that changed."""
    with in_lakehouse() as settings:
        from spark_jobs import silver_trade_aggregates

        return silver_trade_aggregates.gate(settings, run_name())


@dag(
    schedule=CronTriggerTimetable("*/5 * * * *", timezone="UTC"),
    start_date=datetime(2020, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args=default_args(is_soon_again=True),
    tags=tags("bronze", "silver", tier=1),
    doc_md=__doc__,
)
def watch_streams() -> None:
    # Without an entry all tasks are skipped, and no worker is started.
    keep_alive.expand(stream=list(load_settings().streams.watched)) >> bring_in_late() >> gate()


watch_streams()
