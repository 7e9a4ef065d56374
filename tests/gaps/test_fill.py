"""Filling gaps on Sail, from exchanges that fail, break rows and come back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from deltalake import DeltaTable
from pydantic import HttpUrl
from pyspark.sql import SparkSession
from rich.console import Console

from lakehouse import pipeline
from lakehouse.backfill import Batch, Filled, FillRequest, Watcher, make_request
from lakehouse.cli.progress import Lines
from lakehouse.errors import NothingToResume
from lakehouse.gaps import Scope, Summary, summarise
from lakehouse.pipeline import Start
from lakehouse.settings import Settings
from lakehouse.simulated import RunningExchange, running_exchange

BRONZE = "bronze/raw_market_data_1h"
FIRST, LAST = "2026-03-02", "2026-03-05"
END = datetime(2026, 3, 5, tzinfo=UTC)
SCOPE = Scope(end=END, now=END)
DAY = 24


@pytest.fixture(scope="module")
def exchanges() -> Iterator[tuple[RunningExchange, RunningExchange]]:
    with running_exchange() as one, running_exchange() as other:
        yield one, other


@pytest.fixture
def exchange(exchanges: tuple[RunningExchange, RunningExchange]) -> RunningExchange:
    """Speaks for the simulated provider and for Binance."""
    exchanges[0].reset()
    return exchanges[0]


@pytest.fixture
def other(exchanges: tuple[RunningExchange, RunningExchange]) -> RunningExchange:
    """Speaks for Coinbase."""
    exchanges[1].reset()
    return exchanges[1]


@pytest.fixture
def settings(
    sail: SparkSession,
    sail_lake: Settings,
    exchange: RunningExchange,
    other: RunningExchange,
    monkeypatch: pytest.MonkeyPatch,
) -> Settings:
    """A lake whose providers are the simulated one, Binance and, after it, Coinbase."""
    # The run's own session: PySpark would wait at the end for each engine that is gone by then.
    monkeypatch.setattr(pipeline, "connect", lambda settings: sail)
    urls = {
        "simulated": exchange.base_url("binance"),
        "binance": exchange.base_url("binance"),
        "coinbase": other.base_url("coinbase"),
    }
    quick = {"backoff_seconds": 0, "attempts": 1}
    providers = {
        name: entry.model_copy(update={**quick, "base_url": url and HttpUrl(url)})
        for name, entry in sail_lake.providers.items()
        for url in [urls.get(name)]
    }
    return sail_lake.model_copy(update={"providers": providers, "data_docs": False})


@contextmanager
def quietly(plan: Sequence[Batch]) -> Iterator[Watcher]:
    yield Lines(Console(quiet=True))


def backfill(settings: Settings, provider: str, start: str = FIRST, end: str = LAST) -> None:
    alone = settings.model_copy(update={"fallback": False})
    what = {"assets": ["BTCUSD"], "timeframes": ["1h"], "provider": provider}
    request = make_request(alone, **what, start=start, end=end)
    prepared = pipeline.prepare(alone, request, Start.MISSING)
    with quietly(prepared.plan) as watcher:
        pipeline.run(alone, prepared, watcher, with_build=False)


def fill(settings: Settings, provider: str, with_build: bool = False) -> list[Filled]:
    request = FillRequest(SCOPE, provider)
    return pipeline.fill_gaps(settings, request, quietly, with_build=with_build).report()


def summary(settings: Settings) -> Summary:
    (found,) = summarise(settings, SCOPE)
    return found


def landed(settings: Settings, provider: str) -> list[datetime]:
    """Opening times of the candles in bronze."""
    rows = DeltaTable(str(settings.lake / BRONZE)).to_pyarrow_table(
        columns=["timestamp", "provider"]
    )
    return sorted(row["timestamp"] for row in rows.to_pylist() if row["provider"] == provider)


def test_an_outage_is_filled_once_the_source_is_well_again(
    settings: Settings, exchange: RunningExchange
) -> None:
    backfill(settings, "simulated", end="2026-03-03")
    exchange.change(server_errors=1)
    backfill(settings, "simulated", start="2026-03-03", end="2026-03-04")
    assert (summary(settings).outage, summary(settings).not_fetched) == (DAY, DAY)

    exchange.reset()
    (filled,) = fill(settings, "simulated", with_build=True)
    assert (filled.by_provider, filled.left) == ({"simulated": 2 * DAY}, [])
    assert (summary(settings).gaps, summary(settings).coverage_percent) == ([], 100)
    assert len(landed(settings, "simulated")) == 3 * DAY
    silver = DeltaTable(str(settings.lake / "silver" / "market_data_enriched"))
    assert silver.to_pyarrow_table(columns=["timestamp"]).num_rows == 3 * DAY

    exchange.change()
    assert fill(settings, "simulated", with_build=True) == []
    assert exchange.calls == 0


def test_what_the_first_provider_lacks_comes_from_the_next(
    settings: Settings, exchange: RunningExchange, other: RunningExchange
) -> None:
    backfill(settings, "binance", end="2026-03-04")
    exchange.change(server_errors=1)
    (filled,) = fill(settings, "binance")
    assert filled.by_provider == {"coinbase": DAY}
    assert (exchange.calls, filled.left) == (1, [])
    assert len(landed(settings, "coinbase")) == DAY
    assert summary(settings).gaps == []
    other.change()
    assert fill(settings, "binance") == []
    assert other.calls == 0


def test_a_rejected_candle_comes_from_another_provider_and_no_other_candle_does(
    settings: Settings, exchange: RunningExchange, other: RunningExchange
) -> None:
    exchange.change(corrupted_candles=0.05)
    backfill(settings, "binance")
    rejected = {gap.start: gap.candles for gap in summary(settings).gaps}
    assert summary(settings).rejected == sum(rejected.values()) > 2

    exchange.change()
    (filled,) = fill(settings, "binance")
    assert filled.by_provider == {"coinbase": sum(rejected.values())}
    assert exchange.calls == 0, "it said all it had to say"
    assert set(rejected) <= set(landed(settings, "coinbase"))
    assert len(landed(settings, "coinbase")) == sum(rejected.values())
    assert other.calls == 1, "near gaps are asked for in one go"


def test_what_the_only_provider_sent_broken_is_left_and_not_asked_for_again(
    settings: Settings, exchange: RunningExchange
) -> None:
    exchange.change(corrupted_candles=0.05)
    backfill(settings, "simulated")
    exchange.change()
    (filled,) = fill(settings, "simulated")
    assert filled.by_provider == {}
    assert {gap.gap_class for gap, _ in filled.left} == {"rejected"}
    assert all(reason for _, reason in filled.left)
    assert exchange.calls == 0


def test_an_outage_that_lasts_is_left_with_what_the_source_said(
    settings: Settings, exchange: RunningExchange, other: RunningExchange
) -> None:
    backfill(settings, "binance", end="2026-03-04")
    for each in (exchange, other):
        each.change(server_errors=1)
    (filled,) = fill(settings, "binance")
    ((gap, reason),) = filled.left
    assert (gap.gap_class, gap.candles, filled.by_provider) == ("outage", DAY, {})
    assert "did not answer" in reason


def test_a_fill_is_not_what_a_backfill_resumes(
    settings: Settings, exchange: RunningExchange
) -> None:
    backfill(settings, "simulated", end="2026-03-04")
    exchange.change(server_errors=1)
    fill(settings, "simulated")
    request = make_request(settings, assets=["BTCUSD"], timeframes=["1h"])
    with pytest.raises(NothingToResume):
        pipeline.prepare(settings, request, Start.RESUME)


def test_where_nothing_is_known_nobody_is_asked_and_no_engine_is_started(
    settings: Settings, exchange: RunningExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(pipeline, "connect")
    exchange.change()
    assert fill(settings, "simulated", with_build=True) == []
    assert exchange.calls == 0
