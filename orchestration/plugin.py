"""What Airflow must know by name; found through the package's entry point."""

from __future__ import annotations

from typing import ClassVar

from airflow.plugins_manager import AirflowPlugin

from orchestration.deadlines import RunCreated
from orchestration.timetable import EachDay


class LakehousePlugin(AirflowPlugin):
    name = "lakehouse"
    deadline_references: ClassVar[list[type]] = [RunCreated]
    timetables: ClassVar[list[type]] = [EachDay]
