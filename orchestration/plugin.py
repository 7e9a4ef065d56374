"""What Airflow must know by name; found through the package's entry point."""

from __future__ import annotations

from typing import ClassVar

from airflow.plugins_manager import AirflowPlugin

from orchestration.timetable import EachDay


class LakehousePlugin(AirflowPlugin):
    name = "lakehouse"
    timetables: ClassVar[list[type]] = [EachDay]
