"""A task's surroundings: the engine its connection names, and errors in words for people."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import get_current_context
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowNotFoundException,
)

from lakehouse.errors import (
    BatchQuarantined,
    EngineError,
    EngineLost,
    InvalidSuite,
    LakehouseError,
    UsageError,
)
from lakehouse.settings import Settings, load_settings

log = logging.getLogger(__name__)

CONNECTION = "lakehouse_engine"
# The same again would fail again: somebody must mend something first.
FINAL = (BatchQuarantined, InvalidSuite, UsageError)


@contextmanager
def in_lakehouse() -> Iterator[Settings]:
    """The settings, with the engine chosen and UTC as the process's time zone.

    What the lakehouse raises becomes Airflow's: a failure without retries where a retry cannot
    help, one with retries otherwise. An EngineError stays what it is; see manners.BackOff.
    """
    from lakehouse.engine import is_lost

    os.environ["TZ"] = "UTC"
    time.tzset()
    # Airflow wakes it; it would log each failed call with its stack, and more when the task ends.
    logging.getLogger("pyspark.sql.connect.logging").disabled = True
    _choose_engine()
    try:
        yield load_settings()
    except FINAL as error:
        raise AirflowFailException(str(error)) from None
    except Exception as error:
        if isinstance(error, EngineError):
            raise
        if is_lost(error):
            raise EngineLost(what="the task") from None
        if isinstance(error, LakehouseError):
            raise AirflowException(str(error)) from None
        raise


@contextmanager
def without_airflow() -> Iterator[None]:
    """Hide Airflow's variables from what is started here and outlives the task: they speak of this
    task alone, and some are secrets."""
    names = [name for name in os.environ if name.lstrip("_").startswith("AIRFLOW_")]
    hidden = {name: os.environ.pop(name) for name in names}
    try:
        yield
    finally:
        os.environ.update(hidden)


def _choose_engine() -> None:
    """SPARK_REMOTE first, then the host of Airflow's connection, else the lake's own engine."""
    if "SPARK_REMOTE" in os.environ:
        return
    from airflow.providers.apache.spark.hooks.spark_connect import SparkConnectHook
    from airflow.sdk import Connection

    try:
        host = Connection.get(CONNECTION).host
    except AirflowNotFoundException:
        return
    if host:
        os.environ["SPARK_REMOTE"] = SparkConnectHook(CONNECTION).get_connection_url()


def run_name(*parts: str) -> str:
    """The name of this DAG run's work in the lakehouse's records; the same in every try."""
    context: Any = get_current_context()
    name = ".".join((context["dag"].dag_id, context["run_id"], *parts))
    return re.sub(r"[^\w.-]", "-", name)


def day_of_run() -> tuple[datetime, datetime]:
    """The UTC day that the run is for; of one triggered without a date, the last complete one."""
    run: Any = get_current_context()["dag_run"]
    if run.data_interval_start:
        return run.data_interval_start, run.data_interval_end
    midnight = run.run_after.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - timedelta(days=1), midnight
