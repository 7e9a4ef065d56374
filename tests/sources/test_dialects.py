"""Every adapter against the exchange that speaks its API: same market, same candles."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from lakehouse.errors import NoHistory, RequestRefused
from lakehouse.simulated import RunningExchange
from lakehouse.sources import CandleRequest, RawCandle, Sources
from lakehouse.timeframes import TIMEFRAMES

from .conftest import NOW, Ask, MakeSources

REAL = ("alpha_vantage", "coinbase", "oanda", "binance", "kraken")
REACH = {"1m": 6, "5m": 24, "15m": 48, "1h": 72, "4h": 96, "1d": 240}  # hours


def prices(candles: list[RawCandle]) -> list[tuple[object, ...]]:
    return [(c.timestamp, c.open, c.high, c.low, c.close) for c in candles]


@pytest.mark.parametrize("timeframe", TIMEFRAMES)
@pytest.mark.parametrize("provider", [name for name in REAL if name != "binance"])
def test_all_providers_tell_the_same_candles(
    sources: Sources, ask: Ask, provider: str, timeframe: str
) -> None:
    request = ask(timeframe, timedelta(hours=REACH[timeframe]))
    expected = sources.fetch("binance", request).candles
    found = sources.fetch(provider, request)
    assert prices(found.candles) == prices(expected)
    assert len(expected) >= REACH[timeframe] * timedelta(hours=1) // TIMEFRAMES[timeframe] - 1


@pytest.mark.parametrize("provider", ["binance", "coinbase", "kraken", "alpha_vantage"])
def test_volumes_are_in_the_base_currency(sources: Sources, ask: Ask, provider: str) -> None:
    volumes = [candle.volume for candle in sources.fetch(provider, ask("1h")).candles]
    expected = [candle.volume for candle in sources.fetch("binance", ask("1h")).candles]
    assert volumes == expected


@pytest.mark.parametrize("provider", REAL)
def test_the_open_candle_is_never_returned(sources: Sources, ask: Ask, provider: str) -> None:
    last = sources.fetch(provider, ask("1m")).candles[-1].timestamp
    assert last == NOW.replace(second=0) - timedelta(minutes=1)


@pytest.mark.parametrize("provider", REAL)
def test_a_candle_is_returned_from_the_second_it_closes(
    exchange: RunningExchange, sources: Sources, ask: Ask, provider: str
) -> None:
    exchange.reset(now_ms=int(NOW.replace(second=0).timestamp() * 1000))
    last = sources.fetch(provider, ask("1m")).candles[-1].timestamp
    assert last == NOW.replace(second=0) - timedelta(minutes=1)


@pytest.mark.parametrize("provider", REAL)
def test_windows_are_half_open(sources: Sources, provider: str) -> None:
    start = datetime(2026, 3, 15, 6, tzinfo=UTC)
    request = CandleRequest("ETHUSD", "5m", start, start + timedelta(minutes=30))
    times = [candle.timestamp for candle in sources.fetch(provider, request).candles]
    assert times == [start + i * timedelta(minutes=5) for i in range(6)]


@pytest.mark.parametrize("provider", REAL)
def test_an_empty_window_needs_no_call(sources: Sources, provider: str) -> None:
    request = CandleRequest("BTCUSD", "1h", NOW, NOW)
    assert sources.fetch(provider, request).calls == 0
    assert sources.calls_needed(provider, request) == 0


@pytest.mark.parametrize("provider", REAL)
def test_raw_is_the_row_as_json_and_source_the_url(
    exchange: RunningExchange, sources: Sources, ask: Ask, provider: str
) -> None:
    candle = sources.fetch(provider, ask("1h")).candles[0]
    assert json.loads(candle.raw)
    assert candle.source.startswith(exchange.base_url(provider))


@pytest.mark.parametrize(
    ("provider", "calls"), [("binance", 3), ("coinbase", 10), ("oanda", 1), ("alpha_vantage", 1)]
)
def test_pages_are_as_long_as_the_api_allows(
    exchange: RunningExchange, sources: Sources, ask: Ask, provider: str, calls: int
) -> None:
    request = ask("1m", timedelta(hours=49))
    fetched = sources.fetch(provider, request)
    times = [candle.timestamp for candle in fetched.candles]
    assert times == sorted(set(times))
    assert len(times) == 49 * 60
    assert fetched.calls == exchange.calls == sources.calls_needed(provider, request) == calls


def test_on_page_hears_of_every_page(sources: Sources, ask: Ask) -> None:
    heard: list[int] = []
    sources.fetch("binance", ask("1m", timedelta(hours=49)), heard.append)
    assert heard == [1000, 1000, 940]


def test_kraken_says_so_when_the_beginning_is_no_longer_there(
    make_sources: MakeSources, ask: Ask
) -> None:
    sources = make_sources()
    fetched = sources.fetch("kraken", ask("1m", timedelta(hours=13)))
    assert isinstance(fetched.failures[0], NoHistory)
    assert fetched.provider == "alpha_vantage"


def test_where_nobody_traded_kraken_is_flat_and_the_others_are_silent(
    exchange: RunningExchange, sources: Sources, ask: Ask
) -> None:
    exchange.change(quiet_minutes=0.5)
    flat = sources.fetch("kraken", ask("1m")).candles
    traded = [candle for candle in flat if candle.volume]
    assert len(flat) == 60
    assert 10 < len(traded) < 50
    assert prices(sources.fetch("coinbase", ask("1m")).candles) == prices(traded)


@pytest.mark.parametrize("provider", REAL)
def test_an_unknown_symbol_is_refused_without_another_attempt(
    exchange: RunningExchange, make_sources: MakeSources, ask: Ask, provider: str
) -> None:
    exchange.change(delisted=["BTCUSD"])
    sources = make_sources()
    request = ask("1h")
    with pytest.raises(Exception, match="No provider could serve BTCUSD 1h") as caught:
        sources.fetch(provider, request)
    assert all(isinstance(failure, RequestRefused) for failure in caught.value.failures)
    assert exchange.calls == len(caught.value.failures) == len(REAL)


@pytest.mark.parametrize("dialect", ["binance", "coinbase", "kraken"])
def test_the_simulated_provider_speaks_the_dialect_of_its_setting(
    exchange: RunningExchange, make_sources: MakeSources, ask: Ask, dialect: str
) -> None:
    url = exchange.base_url(dialect)
    sources = make_sources(base_urls={"simulated": url}, dialect=dialect)
    fetched = sources.fetch("simulated", ask("1h"))
    assert fetched.provider == "simulated"
    assert len(fetched.candles) == 1
    assert fetched.candles[0].source.startswith(url)
