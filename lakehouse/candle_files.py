"""The files of a bronze table, and what its log tells of the candles in them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
from deltalake import DeltaTable


@dataclass(frozen=True, slots=True)
class CandleFile:
    """First and last opening time, both inclusive; None where the log does not tell them."""

    first: datetime | None
    last: datetime | None
    rows: int

    def may_hold(self, first: datetime, last: datetime | None = None) -> bool:
        """Whether a candle may be there of that time, both ends inclusive."""
        is_before = self.last is not None and self.last < first
        is_after = last is not None and self.first is not None and self.first > last
        return not is_before and not is_after


def candle_files(table: DeltaTable) -> dict[str, list[CandleFile]]:
    """By asset pair, for there may be as many files as there were landings of each."""
    found: dict[str, list[CandleFile]] = defaultdict(list)
    for file in pa.table(table.get_add_actions(flatten=True)).to_pylist():
        candles = CandleFile(
            file.get("min.timestamp"), file.get("max.timestamp"), file["num_records"]
        )
        found[file["partition.partition_asset_pair"]].append(candles)
    return found
