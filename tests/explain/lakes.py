"""A small lake with a history: a correction, a refused candle, an outage, two releases."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable
from pydantic import HttpUrl
from rich.console import Console

from lakehouse import pipeline, services
from lakehouse.backfill import make_request
from lakehouse.cli.progress import Lines
from lakehouse.dead_letters import list_dead_letters
from lakehouse.explain.files import Row
from lakehouse.explain.span import Span
from lakehouse.pipeline import Start
from lakehouse.settings import Settings
from lakehouse.simulated import RunningExchange, running_exchange
from tests.conftest import settings_for

BRONZE = "bronze.raw_market_data_1h"
ENRICHED = "silver.market_data_enriched"
ANALYSIS = "silver.multi_timeframe_analysis"
DAILY = "gold.mart_daily_metrics"
REGIMES = "gold.mart_market_regime_stats"
TECHNICAL = "gold.mart_technical_indicators"
# With the exchange's seed, these two candles of 1h are served broken.
CORRUPTED = 0.05
REFUSED = "2026-01-05T06:00"
MENDED = "2026-01-06T14:00"
AFTER_MENDED = "2026-01-06T16:00"
OUTAGE = "2026-01-07T03:00"


@dataclass(frozen=True)
class Lake:
    """A lake and the address of the exchange that its candles came from."""

    settings: Settings
    url: str

    def copied_to(self, path: Path) -> Settings:
        shutil.copytree(self.settings.lake, path, ignore=shutil.ignore_patterns(".services"))
        return self.settings.model_copy(update={"root": path})


@contextmanager
def lake_with_a_history(path: Path) -> Iterator[Lake]:
    """Two days of 1h and 1d are landed and built, a dead letter is mended, replayed and built, and
    the source fails when it is asked for the third day."""
    with (
        running_exchange(corrupted_candles=CORRUPTED) as exchange,
        pytest.MonkeyPatch.context() as environment,
    ):
        environment.delenv("SPARK_REMOTE", raising=False)
        # dbt never closes its log file, and an open file is a warning.
        environment.setenv("DBT_LOG_LEVEL_FILE", "none")
        settings = _settings(path, exchange)
        try:
            _backfill(settings, "2026-01-05", "2026-01-07")
            _mend(settings)
            exchange.change(server_errors=1)
            _backfill(settings, "2026-01-07", "2026-01-08")
        finally:
            services.stop_all(settings.lake)
        yield Lake(settings, exchange.base_url("binance"))


def _settings(path: Path, exchange: RunningExchange) -> Settings:
    plain = settings_for(path, engine="sail", data_docs=False)
    url = HttpUrl(exchange.base_url("binance"))
    changes = {"base_url": url, "attempts": 1, "backoff_seconds": 0}
    simulated = plain.providers["simulated"].model_copy(update=changes)
    return plain.model_copy(update={"providers": {**plain.providers, "simulated": simulated}})


def _backfill(settings: Settings, start: str, end: str) -> None:
    request = make_request(
        settings, assets=["BTCUSD"], timeframes=["1h", "1d"], start=start, end=end
    )
    prepared = pipeline.prepare(settings, request, Start.MISSING)
    pipeline.run(settings, prepared, Lines(Console(quiet=True)))


def _mend(settings: Settings) -> None:
    letters, _ = list_dead_letters(settings.lake, reason="volume < 0")
    (letter,) = letters
    letter.path.write_text(letter.path.read_text().replace('"volume": -', '"volume": '))
    pipeline.replay_dead_letters(settings, letters)


def rows_at(settings: Settings, span: Span, version: int) -> list[Row]:
    """The rows of the span at that version, found by reading the whole table."""
    path = span.table.path(settings.lake)
    found = pl.from_arrow(DeltaTable(str(path), version=version).to_pyarrow_table())
    assert isinstance(found, pl.DataFrame)
    time = pl.col(span.time_column).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    chosen = found.filter(
        pl.col(span.asset_column) == span.asset, time >= span.first, time < span.last
    )
    if span.timeframe:
        chosen = chosen.filter(timeframe=span.timeframe)
    names = [column.name for column in span.table.columns]
    return chosen.select(names).sort(span.table.keys).to_dicts()
