"""Delta tables that Polars frames are appended to, two at a time, while the next are computed."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
from deltalake import ColumnProperties, WriterProperties, write_deltalake

WRITERS = 2


class Writer:
    def __init__(self, folder: Path, partitions: dict[str, str]) -> None:
        self.folder = folder
        self.partitions = partitions
        self.pool = ThreadPoolExecutor(WRITERS)
        self.under_way: dict[str, Future[None]] = {}
        self.built_at = pl.lit(datetime.now(UTC))

    def append(self, table: str, frames: list[pl.DataFrame]) -> None:
        """In the background, once the last append to the table is done."""
        if table in self.under_way:
            self.under_way[table].result()
        self.under_way[table] = self.pool.submit(self._append, table, frames)

    def _append(self, table: str, frames: list[pl.DataFrame]) -> None:
        times = {"created_at": self.built_at, "updated_at": self.built_at}
        added = {} if table.startswith("bronze") else times
        # Each frame by itself: else all columns would be copied into the new ones' single chunk.
        rows = pl.concat([frame.with_columns(**added) for frame in frames])
        write_deltalake(
            self.folder / table,
            rows,
            mode="append",
            partition_by=self.partitions.get(table),
            writer_properties=writer_properties(table, rows.schema),
        )

    def finish(self) -> None:
        for written in self.under_way.values():
            written.result()
        self.pool.shutdown()


def writer_properties(table: str, schema: pl.Schema) -> WriterProperties:
    """Prices hardly repeat: dictionaries of them would take more than half of the time to write.

    Readings of longer timeframes do repeat.
    """
    if table == "silver/multi_timeframe_analysis":
        return WriterProperties()
    plain = ColumnProperties(dictionary_enabled=False)
    numbers = [name for name, kind in schema.items() if kind.is_float()]
    return WriterProperties(column_properties=dict.fromkeys(numbers, plain))
