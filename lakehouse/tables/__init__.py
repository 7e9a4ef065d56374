"""The table registry: the single source of each table's name, layer, schema, keys and upkeep."""

from lakehouse.tables.candles import CANDLE
from lakehouse.tables.registry import (
    BUILT_LAYERS,
    LAYERS,
    bronze_table,
    built_tables,
    registry,
    stages,
    table_named,
)
from lakehouse.tables.table import Column, Table

__all__ = [
    "BUILT_LAYERS",
    "CANDLE",
    "LAYERS",
    "Column",
    "Table",
    "bronze_table",
    "built_tables",
    "registry",
    "stages",
    "table_named",
]
