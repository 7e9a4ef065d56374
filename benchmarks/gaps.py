"""The gap ledger's own work: one more day, facts in hand, until both tables are committed.

    python -m benchmarks.gaps [--rounds 5]

The ledger knows 1,000 assets x 6 timeframes for a year, with 20 gaps each. A day more lands for one
asset, for all of them, and for one asset where each series has 200 gaps. The tables are as a
compaction leaves them, in the order of the registry, and every tenth asset goes on with the gaps it
ended with, for what changes costs more than what is added.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import structlog
from deltalake import DeltaTable, write_deltalake

from lakehouse.gaps import Candles, Facts, Refused, Window, take_in
from lakehouse.gaps.calendars import micros
from lakehouse.gaps.reading import COVERAGE, GAPS
from lakehouse.gaps.tables import Tables
from lakehouse.outcomes import Recorder
from lakehouse.settings import Settings, load_settings
from lakehouse.tables import table_named
from lakehouse.timeframes import TIMEFRAMES, step

ASSETS = [f"A{number:04}USD" for number in range(1000)]
START, END = datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
UTC_TIME = pl.Datetime("us", "UTC")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with tempfile.TemporaryDirectory() as folder:
        few, many = (known_ledger(Path(folder) / str(gaps), gaps) for gaps in (20, 200))
        measure("one asset, 20 gaps a series", few, ASSETS[500:501], rounds)
        measure("1,000 assets, 20 gaps a series", few, ASSETS, rounds)
        measure("one asset, 200 gaps a series", many, ASSETS[500:501], rounds)


def known_ledger(root: Path, gaps: int) -> Settings:
    """A lake whose ledger knows a year of all series, with so many gaps in each."""
    settings = load_settings().model_copy(update={"root": root})
    Tables.opened(settings)
    series = pl.DataFrame({"asset_pair": ASSETS}).join(
        pl.DataFrame({"timeframe": sorted(TIMEFRAMES), "provider": "binance"}), how="cross"
    )
    _write(settings, GAPS, _gaps(series, gaps))
    known = {"known_from": START, "known_to": END, "first_candle": START, "updated_at": END}
    last = pl.col("timeframe").replace_strict({t: END - 2 * step(t) for t in TIMEFRAMES})
    _write(settings, COVERAGE, series.with_columns(last_candle=last, **_literals(known)))
    return settings


def _gaps(series: pl.DataFrame, count: int) -> pl.DataFrame:
    """Gaps of a candle, of several classes, on days spread over the year, one at its end."""
    rows = series.join(pl.DataFrame({"number": np.arange(count)}), how="cross")
    random = np.random.default_rng(7)
    length = rows["timeframe"].replace_strict(TIMEFRAMES)
    a_day = (DAY // length.to_numpy()).astype(np.int64)
    ago = np.where(rows["number"] == 0, 1, random.integers(1, a_day + 1))
    days = pl.duration(days=pl.col("number") * ((END - START) // DAY) // count)
    is_quiet = pl.col("gap_class") == "no_trade"
    return rows.with_columns(
        gap_start=END - days - pl.Series(ago) * length,
        gap_class=pl.lit(pl.Series(["no_trade", "rejected", "outage"])).gather(
            pl.col("number") % 3
        ),
        candles=pl.lit(1, pl.Int64),
        recorded_at=END + pl.duration(microseconds=pl.Series(random.integers(1e12, size=len(ago)))),
    ).with_columns(
        gap_end=pl.col("gap_start") + length,
        detail=pl.when(is_quiet).then(pl.lit("")).otherwise(pl.lit("why")),
    )


def _literals(values: dict[str, datetime]) -> dict[str, pl.Expr]:
    return {name: pl.lit(value) for name, value in values.items()}


def _write(settings: Settings, name: str, rows: pl.DataFrame) -> None:
    table = table_named(name)
    ordered = rows.with_columns(pl.selectors.datetime().cast(UTC_TIME)).sort(
        table.sort_by or table.keys
    )
    columns = [column.name for column in table.columns]
    path = str(table.path(settings.lake))
    write_deltalake(path, ordered.select(columns).to_arrow(), mode="append")
    DeltaTable(path).optimize.compact()


def one_more_day(assets: list[str]) -> Facts:
    """A day of all timeframes: most batches whole, every tenth with candles absent and refused."""
    facts = Facts()
    for number, asset_pair in enumerate(assets):
        for timeframe, length in TIMEFRAMES.items():
            series = (asset_pair, timeframe, "binance")
            facts.windows.append(Window(series, END, END + DAY, "no_trade", True))
            last = END + DAY - length
            opened = micros(END) + np.arange(DAY // length) * (length // timedelta(microseconds=1))
            if number % 10 or len(opened) < 5:
                facts.add(Candles(series, END, last))
            else:
                refused = Refused(series, opened[2:3], "high < low")
                there = np.delete(opened, [0, 2])
                facts.add(Candles(series, END, last, there, opened[:0]), [refused])
    return facts


def measure(what: str, settings: Settings, assets: list[str], rounds: int) -> None:
    """Print the seconds of each round, every one onto the same ledger."""
    facts = one_more_day(assets)
    seconds = []
    for number in range(rounds):
        root = settings.lake.with_name(f"round-{number}")
        shutil.copytree(settings.lake, root)
        fresh = settings.model_copy(update={"root": root})
        begun = time.perf_counter()
        changed = take_in(fresh, Recorder(fresh, "benchmark"), facts)
        seconds.append(time.perf_counter() - begun)
        shutil.rmtree(root)
    each = " ".join(f"{second:.2f}" for second in seconds)
    print(f"{what:32} {statistics.median(seconds):5.2f} s  ({each}; {changed} gaps changed)")


if __name__ == "__main__":
    main()
