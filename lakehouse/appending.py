"""Appending to bronze what it cannot hold yet, for a MERGE costs several times as much.

The table's statistics tell that it has no candle of the times that arrive, and the commit is made
to the very version that told so: who comes second is told, merges, and doubles nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError
from pyspark.sql import DataFrame

from lakehouse.candle_files import candle_files
from lakehouse.scratch import CHEAP
from lakehouse.tables import Table
from lakehouse.written_files import append_rows

if TYPE_CHECKING:
    from lakehouse.landing import Extent


def append_new(
    rows: DataFrame, table: Table, path: Path, extents: Iterable[Extent], scratch: Path
) -> int | None:
    """Append the rows, which lie in these extents; how many there were. None, and nothing done,
    where the table may hold candles of that time or got others meanwhile.
    """
    before = DeltaTable(str(path))
    files = candle_files(before)
    if any(file.may_hold(e.first, e.last) for e in extents for file in files.get(e.asset_pair, [])):
        return None
    rows.write.options(**CHEAP).partitionBy(*table.partition_by).parquet(str(scratch))
    try:
        return append_rows(path, scratch, before)
    except CommitFailedError:
        return None
