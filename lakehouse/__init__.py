"""A market-data lakehouse on Spark, Delta Lake, dbt and Great Expectations."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lakehouse.api import Lakehouse
    from lakehouse.errors import LakehouseError
    from lakehouse.settings import Settings, load_settings

__all__ = ["Lakehouse", "LakehouseError", "Settings", "load_settings"]

_HOMES = {
    "Lakehouse": "api",
    "LakehouseError": "errors",
    "Settings": "settings",
    "load_settings": "settings",
}


def __getattr__(name: str) -> Any:
    # PySpark and pydantic are slow to import; importing any module of the library comes by here.
    if name in _HOMES:
        return getattr(import_module(f"lakehouse.{_HOMES[name]}"), name)
    raise AttributeError(name)
