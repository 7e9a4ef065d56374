"""PySpark and Delta over Spark Connect: from Parquet files to the tables.

    .venv/bin/python -m benchmarks.peers.pyspark_peer INPUT_FOLDER OUTPUT_FOLDER \\
        --remote sc://127.0.0.1:15002 [--lean]

The same code for Apache Spark and for Sail. Each layer is read from the tables of the one before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from pathlib import Path

from pyspark import cloudpickle
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from benchmarks.peers import indicators
from benchmarks.peers import pyspark_tables as tables
from benchmarks.peers.run import Run, arguments

AT_ONCE = 2
"""Spark's manual advises threads for jobs that do not depend on one another."""


class Job:
    def __init__(self, session: SparkSession, source: Path, target: Path) -> None:
        self.run = Run()
        self.session = session
        self.target = target
        self.files: dict[str, list[Path]] = defaultdict(list)
        for file in sorted(source.glob("*.parquet")):
            self.files[file.stem.split("-")[1]].append(file)
        self.written: list[str] = []

    def full(self) -> None:
        with self.run.step("bronze"):
            self.all_of(self.bronze, [name for name in tables.MINUTES if name in self.files])
        with self.run.step("silver"):
            candles = reduce(DataFrame.unionByName, map(self.read, self.written))
            rows = with_times(tables.enriched(candles))
            self.write("silver/market_data_enriched", rows, "timeframe")
        with self.run.step("marts"):
            self.all_of(self.mart, list(MARTS))
        self.run.finish()

    def lean(self) -> None:
        """Six timeframes from the minutes, plain indicators, a daily mart: three tables."""
        with self.run.step("bronze"):
            self.write("bronze/candles", self.raw("1m"))
        minutes = self.read("bronze/candles")
        with self.run.step("silver"):
            silver = tables.plainly_enriched(tables.resampled(minutes))
            self.write("silver/candles", with_times(silver), "timeframe")
        with self.run.step("mart"):
            self.write("gold/daily", with_times(tables.plain_days(minutes)))
        self.run.finish()

    def all_of(self, task: Callable[[str], None], names: list[str]) -> None:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for done in [pool.submit(task, name) for name in names]:
                done.result()

    def raw(self, timeframe: str) -> DataFrame:
        return tables.raw_candles(self.session, self.files[timeframe], timeframe)

    def bronze(self, timeframe: str) -> None:
        table = f"bronze/raw_market_data_{timeframe}"
        self.write(table, self.raw(timeframe), "partition_asset_pair")

    def mart(self, table: str) -> None:
        build, partition = MARTS[table]
        rows = with_times(build(self.read("silver/market_data_enriched")))
        self.write(table, rows, *partition)

    def read(self, table: str) -> DataFrame:
        return self.session.read.format("delta").load(str(self.target / table))

    def write(self, table: str, rows: DataFrame, *partition: str) -> None:
        writer = rows.write.format("delta").partitionBy(*partition)
        writer.save(str(self.target / table))
        self.written.append(table)

    def count(self) -> None:
        for table in self.written:
            self.run.rows[table] = self.read(table).count()


MARTS: dict[str, tuple[Callable[[DataFrame], DataFrame], tuple[str, ...]]] = {
    "gold/mart_technical_indicators": (tables.technical_indicators, ("timeframe",)),
    "silver/multi_timeframe_analysis": (tables.multi_timeframe, ()),
    "gold/mart_daily_metrics": (tables.daily_metrics, ()),
    "gold/mart_market_regime_stats": (tables.regime_stats, ()),
}


def with_times(rows: DataFrame) -> DataFrame:
    now = F.current_timestamp()
    return rows.withColumns({"created_at": now, "updated_at": now})


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--remote", required=True, help="Spark Connect, such as sc://host:15002")
    parser.add_argument("--lean", action="store_true", help=Job.lean.__doc__)
    flags = parser.parse_args()
    # The engine's Python need not find this repository.
    for module in (indicators, tables):
        cloudpickle.register_pickle_by_value(module)  # type: ignore[no-untyped-call]
    session = SparkSession.builder.remote(flags.remote).getOrCreate()
    job = Job(session, flags.input, flags.output)
    job.lean() if flags.lean else job.full()
    job.count()
    print(job.run.report())
    session.stop()


if __name__ == "__main__":
    main()
