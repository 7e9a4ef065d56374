"""Scratch files: rows on their way, written once, read a few times and removed."""

from __future__ import annotations

from pathlib import Path

from pyspark.sql import DataFrame

# Compressed well they would cost three times as much to write, dictionaries of prices included.
# What Sail and what Spark call it; each passes over the other's words.
CHEAP = {
    "compression": "lz4_raw",
    "dictionary_enabled": "false",
    "parquet.enable.dictionary": "false",
}


def through_files(rows: DataFrame, path: Path) -> DataFrame:
    """The same rows, from Parquet files in that folder, which whoever asked for it removes."""
    rows.write.mode("overwrite").options(**CHEAP).parquet(str(path))
    # With the schema, for Sail writes no file where there is no row.
    return rows.sparkSession.read.schema(rows.schema).parquet(str(path))
