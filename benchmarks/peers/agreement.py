"""Whether two lakes say the same: their tables of candles, row by row and column by column.

    .venv/bin/python -m benchmarks.peers.agreement LAKE_A LAKE_B

Rows are matched by key. When a row was built and with which batch it came may differ. So may the
last digits of a double, by RELATIVE of it: engines do not promise in which order they add. A
difference of prices is known only as well as the prices are: the close measures it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

MORE = "macd_cross"
WITH_MORE = {"silver/market_data_enriched"}
RELATIVE = 1e-9
SMALL = 1e-3
"""A smaller value may differ by as much as this one: for differences of prices, times the close."""

OF_THE_RUN = {"created_at", "updated_at", "ingested_at", "batch_id"}
DIFFERENCES_OF_PRICES = {
    *("macd", "macd_signal", "macd_histogram", "atr_14", "avg_gain_14", "avg_loss_14"),
    *("avg_plus_dm_14", "avg_minus_dm_14"),
}
PLACE = "bollinger_position"
"""From one band to the other, so that 1 is its measure, and 0 is not small."""

SERIES = ("asset_pair", "timeframe", "timestamp")
VERSION = ("asset_pair", "timestamp", "provider", "open", "high", "low", "close", "volume")
KEYS = {
    **{f"bronze/raw_market_data_{name}": VERSION for name in ("1m", "5m", "15m", "1h", "4h", "1d")},
    "silver/market_data_enriched": SERIES,
    "silver/multi_timeframe_analysis": ("asset_pair", "timestamp"),
    "gold/mart_technical_indicators": SERIES,
    "gold/mart_daily_metrics": ("asset_pair", "date"),
    "gold/mart_market_regime_stats": ("asset_pair", "timeframe", "month", "market_regime"),
}


@dataclass
class Comparison:
    """What two versions of a table have in common, and what not."""

    table: str
    rows: int = 0
    farthest: float = 0.0
    farthest_column: str = "none"
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        farthest = f"farthest {self.farthest:.1e} ({self.farthest_column})"
        verdict = "; ".join(self.faults) or "agrees"
        return f"{self.table}: {self.rows:,} rows, {farthest}: {verdict}"


def comparisons(a: Path, b: Path) -> Iterator[Comparison]:
    """Of the tables that both lakes have."""
    for table, key in KEYS.items():
        if all((lake / table / "_delta_log").is_dir() for lake in (a, b)):
            yield compared(table, key, pl.scan_delta(a / table), pl.scan_delta(b / table))


def disagreements(a: Path, b: Path) -> list[str]:
    found = list(comparisons(a, b))
    if not found:
        return [f"{a} and {b} have no table in common"]
    return [str(comparison) for comparison in found if comparison.faults]


def compared(table: str, key: tuple[str, ...], a: pl.LazyFrame, b: pl.LazyFrame) -> Comparison:
    """An asset at a time, so that memory is bounded. Silver of the lakehouse tells `macd_cross`,
    which peers tell in gold alone."""
    found = Comparison(table)
    a, b = (side.drop(MORE, strict=False) if table in WITH_MORE else side for side in (a, b))
    types = a.collect_schema()
    if dict(types) != dict(b.collect_schema()):
        return Comparison(table, faults=["other columns"])
    assets = pl.concat([side.select("asset_pair").unique() for side in (a, b)]).unique()
    names = [name for name in types if name not in OF_THE_RUN]
    for asset in sorted(assets.collect()["asset_pair"]):
        is_of_asset = pl.col("asset_pair") == asset
        left, right = (
            side.select(names).filter(is_of_asset).sort(key).collect() for side in (a, b)
        )
        found.rows += left.height
        if left.select(key).equals(right.select(key)):
            compare_values(found, left, right)
        else:
            found.faults.append(f"{asset} has other rows ({left.height:,} and {right.height:,})")
    return found


def compare_values(found: Comparison, left: pl.DataFrame, right: pl.DataFrame) -> None:
    for column, kind in left.schema.items():
        if not kind.is_float():
            differing = (~left[column].eq_missing(right[column])).sum()
        elif (differing := (left[column].is_null() != right[column].is_null()).sum()) == 0:
            distances = left.select(distance=distance(column, right[column], left.columns))
            differing = distances.filter(~(pl.col("distance") <= RELATIVE)).height
            farthest = float(distances["distance"].max() or 0.0)  # type: ignore[arg-type]
            if farthest > found.farthest:
                found.farthest, found.farthest_column = farthest, column
        if differing:
            asset = left["asset_pair"][0]
            found.faults.append(f"{column} differs in {differing:,} rows of {asset}")


def distance(column: str, other: pl.Series, columns: list[str]) -> pl.Expr:
    """As a share of the larger value, where it is not small."""
    value = pl.col(column)
    small = pl.lit(1.0 if column == PLACE else SMALL)
    if column in DIFFERENCES_OF_PRICES and "close" in columns:
        small = small * pl.col("close")
    larger = pl.max_horizontal(value.abs(), other.abs(), small)
    return ((value - other).abs() / larger).filter(value.is_not_null())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lakes", nargs=2, type=Path, metavar="LAKE")
    found = list(comparisons(*parser.parse_args().lakes))
    for comparison in found:
        print(comparison)
    if not found or any(comparison.faults for comparison in found):
        sys.exit(1)


if __name__ == "__main__":
    main()
