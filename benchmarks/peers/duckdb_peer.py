"""DuckDB and delta-rs in one process: from Parquet files to the tables.

    python -m benchmarks.peers.duckdb_peer INPUT_FOLDER OUTPUT_FOLDER

SQL does all but the recursive averages: those it hands to Polars, by Arrow, a series at a time.
DuckDB is not among the lakehouse's own requirements: `pip install duckdb`.
"""

from __future__ import annotations

from datetime import UTC, datetime

import duckdb  # type: ignore[import-not-found]
import polars as pl

from benchmarks.peers import duckdb_tables as tables
from benchmarks.peers import indicators
from benchmarks.peers.files import Files, found_files, some_at_once
from benchmarks.peers.polars_writer import Writer
from benchmarks.peers.run import Run, arguments

PARTITIONS = {
    **{f"bronze/raw_market_data_{name}": "partition_asset_pair" for name in tables.MINUTES},
    "silver/market_data_enriched": "timeframe",
    "gold/mart_technical_indicators": "timeframe",
}
NOW = datetime.now(UTC).replace(tzinfo=None)
MARTS = {
    "gold/mart_technical_indicators": tables.TECHNICAL_INDICATORS,
    "silver/multi_timeframe_analysis": tables.MULTI_TIMEFRAME,
    "gold/mart_daily_metrics": tables.DAILY_METRICS,
    "gold/mart_market_regime_stats": tables.REGIME_STATS,
}


class Job:
    def __init__(self, writer: Writer) -> None:
        self.run = Run()
        self.writer = writer
        self.database = duckdb.connect(config={"preserve_insertion_order": False})

    def __call__(self, files: Files) -> None:
        for some in some_at_once(files):
            self.land(some)
            self.enrich()
            self.describe()
        with self.run.step("waiting for the writers"):
            self.writer.finish()
        self.run.finish()

    def land(self, files: Files) -> None:
        names = [str(file) for found in files.values() for file in found]
        with self.run.step("read, validate, deduplicate"):
            self.database.execute(
                f"create or replace temp table raw as {tables.RAW}", {"files": names, "now": NOW}
            )
        for name in dict.fromkeys(timeframe for _, timeframe in files):
            with self.run.step("bronze"):
                rows = self.database.sql(tables.BRONZE, params={"timeframe": name, "now": NOW}).pl()
            self.write(f"bronze/raw_market_data_{name}", rows)

    def enrich(self) -> None:
        with self.run.step("indicators"):
            candles = self.database.sql(tables.SERIES).pl()
            series = candles.partition_by("asset_pair", "timeframe", maintain_order=True)
            frames = pl.collect_all((with_indicators(each) for each in series), engine="in-memory")
            silver = pl.concat(frames)
        self.write("silver/market_data_enriched", silver)
        self.database.register("silver", silver)

    def describe(self) -> None:
        for table, query in MARTS.items():
            with self.run.step("marts"):
                rows = self.database.sql(query).pl()
            self.write(table, rows)

    def write(self, table: str, rows: pl.DataFrame) -> None:
        self.run.rows[table] += rows.height
        with self.run.step("waiting for the writers"):
            times = pl.selectors.datetime().dt.replace_time_zone("UTC")
            self.writer.append(table, [rows.with_columns(times)])


def with_indicators(series: pl.DataFrame) -> pl.LazyFrame:
    """Of the last version of each candle."""
    once = series.lazy().filter(pl.col("timestamp").ne_missing(pl.col("timestamp").shift(-1)))
    return indicators.enriched(once).select(*series.columns, *indicators.ADDED)


def main() -> None:
    flags = arguments(__doc__).parse_args()
    job = Job(Writer(flags.output, PARTITIONS))
    job(found_files(flags.input, tables.MINUTES))
    print(job.run.report())


if __name__ == "__main__":
    main()
