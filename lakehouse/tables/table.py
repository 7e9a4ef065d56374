"""What the registry says of a table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

TOLD = ("string", "timestamp", "date", "int", "bigint")


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its Spark SQL type, and its meaning with the unit."""

    name: str
    type: str
    description: str


@dataclass(frozen=True, slots=True)
class Table:
    """What the lakehouse knows of a table; no retention or tolerance of its own: the default.

    `reads` names the silver and gold tables that its dbt model is made of; what a stream writes
    has none.
    """

    layer: str
    name: str
    grain: str
    columns: tuple[Column, ...]
    keys: tuple[str, ...]
    partition_by: tuple[str, ...] = ()
    sort_by: tuple[str, ...] = ()
    owner: str = "market-data"
    retention_hours: float | None = None
    tolerance: float | None = None
    timeframe: str | None = None
    reads: tuple[str, ...] = ()
    is_row_per_candle: bool = False
    is_row_per_moment: bool = False  # of an asset, at which a candle of it closed
    is_streamed: bool = False

    @property
    def full_name(self) -> str:
        return f"{self.layer}.{self.name}"

    @property
    def ddl(self) -> str:
        """The schema as Spark SQL: `asset_pair string, …`."""
        return ", ".join(f"{column.name} {column.type}" for column in self.columns)

    @property
    def told_columns(self) -> tuple[str, ...]:
        """The columns of which the log tells the bounds, file by file. No doubles: where a file has
        one value, Sail takes it from the log, and reads it wrongly there (docs/engines.md)."""
        told = (column.name for column in self.columns if column.type in TOLD)
        return tuple(name for name in told if name not in self.partition_by)

    def path(self, lake: Path) -> Path:
        return lake / self.layer / self.name
