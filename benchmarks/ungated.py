"""Landing as it would be without a gate: files are read and merged into bronze as they are."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pyspark.sql import SparkSession

from benchmarks.sides import Failed, Lake
from benchmarks.watch import Watch
from lakehouse import delta, ops, services
from lakehouse.engine import connect
from lakehouse.file_backfill import describe
from lakehouse.files import CandleFile, candle_frame
from lakehouse.landing import IDENTITY, PUBLISHERS, bronze_candles
from lakehouse.tables import bronze_table


class Ungated:
    """Landing without a gate, from this process."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self.session: SparkSession = connect(lake.settings)

    def __call__(self, source: Path, rows: int) -> tuple[float, float]:
        """Seconds and processor seconds."""
        self.lake.empty()
        files: dict[str, list[CandleFile]] = defaultdict(list)
        for file in describe(self.lake.settings, str(source / "*.parquet")):
            files[file.timeframe].append(file)
        engine = services.find(self.lake.root, "engine")
        with Watch(lambda: [os.getpid(), *([engine.pid] if engine else [])]) as watch:
            began = time.perf_counter()
            with ThreadPoolExecutor(PUBLISHERS) as pool:
                landed = sum(pool.map(self._land, files.values()))
            seconds = time.perf_counter() - began
        if landed != rows:
            raise Failed(f"{landed:,} rows landed without a gate, not {rows:,}")
        return seconds, watch.cpu_seconds()

    def _land(self, files: list[CandleFile]) -> int:
        table = bronze_table(files[0].timeframe)
        delta.ensure_table(self.session, self.lake.settings, table)
        candles = bronze_candles(candle_frame(self.session, files), ops.now())
        return delta.insert_missing(candles, table, IDENTITY)
