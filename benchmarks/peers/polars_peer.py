"""Polars and delta-rs in one process: from Parquet files to the tables.

    .venv/bin/python -m benchmarks.peers.polars_peer INPUT_FOLDER OUTPUT_FOLDER [--lean]

Some assets at a time, so that memory is bounded: while they are written, the next are computed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import polars as pl

from benchmarks.peers import polars_tables as tables
from benchmarks.peers.files import Files, found_files, some_at_once
from benchmarks.peers.polars_writer import Writer
from benchmarks.peers.run import Run, arguments

Series = dict[tuple[str, str], pl.DataFrame]
"""By symbol and timeframe."""


def collected(frames: Iterable[pl.LazyFrame]) -> list[pl.DataFrame]:
    """Not by the streaming engine, Polars' default: the averages took 15 times as long there."""
    return pl.collect_all(frames, engine="in-memory")


class Job(ABC):
    timeframes: Iterable[str]
    partitions: dict[str, str]

    def __init__(self, source: Path, target: Path) -> None:
        self.run = Run()
        self.files = found_files(source, self.timeframes)
        self.writer = Writer(target, self.partitions)

    def __call__(self) -> Run:
        for files in some_at_once(self.files):
            self.process(self.landed(files))
        self.conclude()
        with self.run.step("waiting for the writers"):
            self.writer.finish()
        self.run.finish()
        return self.run

    def landed(self, files: Files) -> Series:
        with self.run.step("read, validate, deduplicate"):
            frames = collected(tables.raw_candles(found, key[1]) for key, found in files.items())
        return dict(zip(files, frames, strict=True))

    def write(self, table: str, frames: list[pl.DataFrame]) -> None:
        self.run.rows[table] += sum(frame.height for frame in frames)
        with self.run.step("waiting for the writers"):
            self.writer.append(table, frames)

    @abstractmethod
    def process(self, raw: Series) -> None:
        """The tables of some assets."""

    @abstractmethod
    def conclude(self) -> None:
        """The tables that are small enough to be written at once."""


class FullJob(Job):
    timeframes = tables.TIMEFRAMES
    partitions = {  # noqa: RUF012 - never changed
        **{f"bronze/raw_market_data_{name}": "partition_asset_pair" for name in tables.TIMEFRAMES},
        "silver/market_data_enriched": "timeframe",
        "gold/mart_technical_indicators": "timeframe",
    }

    def __init__(self, source: Path, target: Path) -> None:
        super().__init__(source, target)
        self.days: list[pl.DataFrame] = []
        self.regimes: list[pl.DataFrame] = []

    def process(self, raw: Series) -> None:
        for name in tables.TIMEFRAMES:
            found = [frame for (_, timeframe), frame in raw.items() if timeframe == name]
            if found:
                self.write(f"bronze/raw_market_data_{name}", found)
        with self.run.step("indicators"):
            frames = collected(tables.enriched(frame.lazy()) for frame in raw.values())
        self.write("silver/market_data_enriched", frames)
        self.describe({key: frame.lazy() for key, frame in zip(raw, frames, strict=True)})

    def describe(self, series: dict[tuple[str, str], pl.LazyFrame]) -> None:
        with self.run.step("marts"):
            marts = collected(map(tables.technical_indicators, series.values()))
        self.write("gold/mart_technical_indicators", marts)
        by_symbol: dict[str, dict[str, pl.LazyFrame]] = defaultdict(dict)
        for (symbol, timeframe), frame in series.items():
            by_symbol[symbol][timeframe] = frame
        with self.run.step("marts"):
            multi = collected(tables.multi_timeframe(*each) for each in by_symbol.items())
        self.write("silver/multi_timeframe_analysis", multi)
        with self.run.step("marts"):
            self.days += collected(tables.days(frame, key[1]) for key, frame in series.items())
            self.regimes += collected(map(tables.regimes, series.values()))

    def conclude(self) -> None:
        with self.run.step("marts"):
            days = tables.daily_metrics(self.days)
            regimes = tables.regime_stats(pl.concat(self.regimes))
        self.write("gold/mart_daily_metrics", [days])
        self.write("gold/mart_market_regime_stats", [regimes])


class LeanJob(Job):
    """Six timeframes from the minutes, plain indicators, a daily mart: three tables."""

    timeframes = ("1m",)
    partitions = {"silver/candles": "timeframe"}  # noqa: RUF012 - never changed

    def __init__(self, source: Path, target: Path) -> None:
        super().__init__(source, target)
        self.days: list[pl.DataFrame] = []

    def process(self, raw: Series) -> None:
        self.write("bronze/candles", list(raw.values()))
        minutes = [frame.lazy() for frame in raw.values()]
        with self.run.step("resample, indicators"):
            frames = collected(
                tables.plainly_enriched(frame, name)
                for frame in minutes
                for name in tables.TIMEFRAMES
            )
        self.write("silver/candles", frames)
        with self.run.step("mart"):
            self.days += collected(map(tables.plain_days, minutes))

    def conclude(self) -> None:
        self.write("gold/daily", self.days)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--lean", action="store_true", help=LeanJob.__doc__)
    flags = parser.parse_args()
    job = LeanJob if flags.lean else FullJob
    print(job(flags.input, flags.output)().report())


if __name__ == "__main__":
    main()
