"""The files of a bronze table, and what its log tells of the candles in them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
from deltalake import DeltaTable


@dataclass(frozen=True, slots=True)
class CandleFile:
    """First and last opening time, both inclusive; None where the log does not tell them."""

    asset_pair: str
    first: datetime | None
    last: datetime | None
    rows: int

    def may_hold(self, asset_pair: str, first: datetime, last: datetime | None = None) -> bool:
        """Whether a candle of the asset pair may be there, of `first` to `last`, both inclusive."""
        is_before = self.last is not None and self.last < first
        is_after = last is not None and self.first is not None and self.first > last
        return self.asset_pair == asset_pair and not is_before and not is_after


def candle_files(table: DeltaTable) -> list[CandleFile]:
    files = pa.table(table.get_add_actions(flatten=True)).to_pylist()
    return [
        CandleFile(
            file["partition.partition_asset_pair"],
            file.get("min.timestamp"),
            file.get("max.timestamp"),
            file["num_records"],
        )
        for file in files
    ]
