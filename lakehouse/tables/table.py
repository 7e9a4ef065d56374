"""What the registry says of a table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


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
    is_streamed: bool = False

    @property
    def full_name(self) -> str:
        return f"{self.layer}.{self.name}"

    @property
    def ddl(self) -> str:
        """The schema as Spark SQL: `asset_pair string, …`."""
        return ", ".join(f"{column.name} {column.type}" for column in self.columns)

    def path(self, lake: Path) -> Path:
        return lake / self.layer / self.name
