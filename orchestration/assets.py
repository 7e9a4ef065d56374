"""The lake's tables as Airflow assets, so that its pages show what is made of what."""

from __future__ import annotations

from airflow.sdk import Asset

from lakehouse.tables import Table, registry


def asset(table: Table) -> Asset:
    """The table as an asset, e.g. `gold.mart_daily_metrics`."""
    return Asset(
        name=table.full_name,
        uri=f"lakehouse://{table.layer}/{table.name}",
        group=table.layer,
        extra={"grain": table.grain},
    )


def assets_of(*layers: str) -> list[Asset]:
    """Every table of those layers that candles fill. A stream's are never done, so nobody waits."""
    tables = [table for table in registry().values() if table.layer in layers]
    return [asset(table) for table in tables if not table.is_streamed]
