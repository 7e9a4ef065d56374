"""A market-data lakehouse on Spark, Delta Lake, dbt and Great Expectations."""

from typing import Any

from lakehouse.errors import LakehouseError
from lakehouse.settings import Settings, load_settings

__all__ = ["Lakehouse", "LakehouseError", "Settings", "load_settings"]


def __getattr__(name: str) -> Any:
    # PySpark is slow to import, and importing any module of the library comes by here.
    if name == "Lakehouse":
        from lakehouse.api import Lakehouse

        return Lakehouse
    raise AttributeError(name)
