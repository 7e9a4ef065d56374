"""What Airflow must know by name; found through the package's entry point."""

from __future__ import annotations

from typing import Any, ClassVar

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

from orchestration.deadlines import RunCreated
from orchestration.sqlite import OneWriter
from orchestration.timetable import EachDay

IS_SQLITE = conf.get("database", "sql_alchemy_conn", fallback="").startswith("sqlite")


class LakehousePlugin(AirflowPlugin):
    name = "lakehouse"
    deadline_references: ClassVar[list[type]] = [RunCreated]
    timetables: ClassVar[list[type]] = [EachDay]
    fastapi_root_middlewares: ClassVar[list[dict[str, Any]]] = (
        [{"name": "One writer at a time", "middleware": OneWriter}] if IS_SQLITE else []
    )
