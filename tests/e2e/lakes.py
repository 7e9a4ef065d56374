"""A lake of its own for a journey, and the real command line to work on it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
from deltalake import DeltaTable

from lakehouse import services
from lakehouse.dead_letters import list_dead_letters
from lakehouse.timeframes import TIMEFRAMES
from tests.e2e.forks import HANGS_AFTER, Ran, fork

COMMAND = str(Path(sys.executable).with_name("lakehouse"))
BRONZE = tuple(f"bronze.raw_market_data_{timeframe}" for timeframe in TIMEFRAMES)
# Built from bronze alone; silver.market_data_superseded tells what happened on the way.
BUILT = (
    "silver.market_data_enriched",
    "silver.multi_timeframe_analysis",
    "gold.mart_daily_metrics",
    "gold.mart_technical_indicators",
    "gold.mart_market_regime_stats",
)
CANDLE = ["asset_pair", "timestamp", "open", "high", "low", "close", "volume", "provider"]
# They say when and by whom a row was written, not what it holds.
CIRCUMSTANCES = ("created_at", "updated_at", "ingested_at", "batch_id")


@dataclass(frozen=True, slots=True)
class Lake:
    """A lake directory; `extra` are environment variables of every command run on it."""

    root: Path
    engine: str = "sail"
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("LAKEHOUSE__") and name != "SPARK_REMOTE"
        }
        own = {
            "LAKEHOUSE__ROOT": str(self.root),
            "LAKEHOUSE__ENGINE": self.engine,
            "LAKEHOUSE__DATA_DOCS": "false",  # a fifth of a short run's time
            "LAKEHOUSE__FORK_SERVER": "false",  # most tests are about the command itself
        }
        return {**inherited, **own, **self.extra}

    def start(self, *arguments: str, **extra: str) -> subprocess.Popen[str]:
        """The installed command, started as a person starts it."""
        return subprocess.Popen(  # noqa: S603 - the command is ours
            [COMMAND, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**self.environment, **extra},
        )

    def run(self, *arguments: str, **extra: str) -> Ran:
        """Run the command line to its end, in a process that need not import it first."""
        return fork(self, *arguments, **extra).ended()

    def backfill(self, *arguments: str, **extra: str) -> dict[str, Any]:
        """A backfill that must succeed; what it says it did."""
        ran = self.run("backfill", *arguments, "--json", **extra)
        assert ran.code == 0, (ran.code, ran.err, ran.out)
        (report,) = ran.json
        return dict(report)

    def table(self, name: str) -> DeltaTable:
        return DeltaTable(str(self.root.joinpath(*name.split("."))))

    def has(self, name: str) -> bool:
        return DeltaTable.is_deltatable(str(self.root.joinpath(*name.split("."))))

    def frame(self, name: str) -> pl.DataFrame:
        """All rows of a table, read past the lakehouse."""
        return pl.DataFrame(pl.from_arrow(self.table(name).to_pyarrow_table()))

    def bronze(self) -> pl.DataFrame:
        """The candles of all timeframes, without the circumstances of their landing."""
        found = [self.frame(name) for name in BRONZE if self.has(name)]
        return pl.concat(found).select(*CANDLE, "timeframe")

    def content(self, name: str) -> pl.DataFrame:
        """What a table says: its rows without their circumstances, in one fixed order."""
        rows = self.frame(name).drop(*CIRCUMSTANCES, strict=False)
        return rows.select(sorted(rows.columns)).sort(pl.all())

    def versions(self) -> dict[str, int]:
        """Version of each table of bronze, silver and gold that exists."""
        return {name: self.table(name).version() for name in (*BRONZE, *BUILT) if self.has(name)}

    def rejected(self) -> list[dict[str, Any]]:
        """The dead letters' records: the candle as it arrived and the reason."""
        letters, unreadable = list_dead_letters(self.root)
        assert unreadable == []
        return [record for letter in letters for record in letter.read_records()]

    def stop(self) -> None:
        """End what runs for this lake."""
        services.stop_all(self.root)


def ended(process: subprocess.Popen[str]) -> Ran:
    """Wait for the command; one that hangs is killed and fails the test."""
    try:
        out, err = process.communicate(timeout=HANGS_AFTER)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return Ran(process.returncode, out, err)


@contextmanager
def new_lake(root: Path, engine: str = "sail", **extra: str) -> Iterator[Lake]:
    """A lake without tables, whose services end with the block."""
    lake = Lake(root, engine, extra)
    root.mkdir(parents=True, exist_ok=True)
    try:
        yield lake
    finally:
        lake.stop()


def same(found: Lake, wanted: Lake, tables: Sequence[str] = (*BRONZE, *BUILT)) -> list[str]:
    """The tables that differ, row for row, circumstances aside."""
    return [name for name in tables if not equal(found.content(name), wanted.content(name))]


def equal(found: pl.DataFrame, wanted: pl.DataFrame) -> bool:
    """Equal to the bit; but a sum of doubles may differ in its last ones, for engines add up in
    the order in which the files happen to lie."""
    if found.equals(wanted):
        return True
    if found.schema != wanted.schema or found.height != wanted.height:
        return False
    keys = [name for name, kind in found.schema.items() if kind != pl.Float64]
    found, wanted = found.sort(keys), wanted.sort(keys)
    if not found.select(keys).equals(wanted.select(keys)):
        return False
    sums = [name for name in found.columns if name not in keys]
    return all(is_close(found[name], wanted[name]) for name in sums)


def is_close(found: pl.Series, wanted: pl.Series) -> bool:
    near = (found - wanted).abs() <= 1e-14 + 1e-12 * wanted.abs()
    return found.is_null().equals(wanted.is_null()) and bool(near.drop_nulls().all())
