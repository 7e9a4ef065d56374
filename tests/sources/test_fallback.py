from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from lakehouse.errors import (
    AllSourcesFailed,
    CircuitOpen,
    RequestRefused,
    SourceUnavailable,
    UnknownAsset,
    UnknownProvider,
    UnknownTimeframe,
)
from lakehouse.simulated import RunningExchange
from lakehouse.sources import CandleRequest, Sources

from .conftest import NOW, Ask, MakeSources, quick_settings

NOBODY = "http://127.0.0.1:9"


def states(sources: Sources) -> dict[str, str]:
    return {breaker.provider: breaker.state for breaker in sources.breaker_states()}


def test_the_next_provider_in_the_order_of_preference_serves(
    make_sources: MakeSources, ask: Ask
) -> None:
    sources = make_sources({"coinbase": NOBODY})
    fetched = sources.fetch("coinbase", ask("1h"))
    assert fetched.provider == "oanda"
    assert fetched.calls == 4
    assert [type(failure) for failure in fetched.failures] == [SourceUnavailable]


def test_those_without_a_key_or_without_such_candles_are_passed_over(
    make_sources: MakeSources, ask: Ask
) -> None:
    sources = make_sources({"kraken": NOBODY}, api_key=None, token=None)
    fetched = sources.fetch("kraken", ask("1h"))
    assert fetched.provider == "coinbase"
    assert "it needs LAKEHOUSE__PROVIDERS__ALPHA_VANTAGE__API_KEY" in str(fetched.failures[1])


def test_a_timeframe_a_provider_lacks_leads_to_the_next(sources: Sources, ask: Ask) -> None:
    fetched = sources.fetch("alpha_vantage", ask("4h", timedelta(days=1)))
    assert fetched.provider == "coinbase"
    assert isinstance(fetched.failures[0], RequestRefused)
    assert sources.calls_needed("alpha_vantage", ask("4h")) == 0


def test_when_all_fail_each_says_why(make_sources: MakeSources, ask: Ask) -> None:
    providers = ("coinbase", "oanda", "binance", "kraken", "alpha_vantage")
    sources = make_sources(dict.fromkeys(providers, NOBODY))
    with pytest.raises(AllSourcesFailed) as caught:
        sources.fetch("coinbase", ask("1h"))
    assert [failure.provider for failure in caught.value.failures] == list(providers)


def test_what_is_real_never_stands_in_for_what_is_simulated(
    exchange: RunningExchange, make_sources: MakeSources, ask: Ask
) -> None:
    with pytest.raises(SourceUnavailable):
        make_sources({"simulated": NOBODY}).fetch("simulated", ask("1h"))
    assert exchange.calls == 0


def test_fallback_can_be_turned_off(exchange: RunningExchange, ask: Ask) -> None:
    settings = quick_settings().model_copy(update={"fallback": False})
    with Sources(settings, {"binance": NOBODY}) as sources, pytest.raises(SourceUnavailable):
        sources.fetch("binance", ask("1h"))


def test_a_provider_without_a_base_url_is_refused(ask: Ask) -> None:
    with Sources(quick_settings()) as sources, pytest.raises(RequestRefused, match="base_url"):
        sources.fetch("simulated", ask("1h"))


def test_a_provider_that_keeps_failing_is_left_alone(
    exchange: RunningExchange, make_sources: MakeSources, ask: Ask
) -> None:
    exchange.change(server_errors=1)
    sources = make_sources(break_after_failures=2)
    for _ in range(2):
        with pytest.raises(SourceUnavailable):
            sources.fetch("simulated", ask("1h"))
    assert states(sources)["simulated"] == "open"
    with pytest.raises(CircuitOpen):
        sources.fetch("simulated", ask("1h"))
    assert exchange.calls == 6


def test_a_provider_that_recovers_is_asked_again(
    exchange: RunningExchange, make_sources: MakeSources, ask: Ask
) -> None:
    exchange.change(server_errors=1)
    sources = make_sources(break_after_failures=1, break_seconds=0)
    with pytest.raises(SourceUnavailable):
        sources.fetch("simulated", ask("1h"))
    assert states(sources)["simulated"] == "half-open"
    exchange.change(server_errors=0)
    sources.fetch("simulated", ask("1h"))
    assert states(sources)["simulated"] == "closed"


def test_a_refusal_does_not_count_as_a_failure(
    exchange: RunningExchange, make_sources: MakeSources, ask: Ask
) -> None:
    exchange.change(delisted=["BTCUSD"])
    sources = make_sources(break_after_failures=1)
    with pytest.raises(RequestRefused):
        sources.fetch("simulated", ask("1h"))
    assert set(states(sources).values()) == {"closed"}


def test_wrong_requests_are_named_before_anyone_is_asked(
    exchange: RunningExchange, sources: Sources
) -> None:
    with pytest.raises(UnknownProvider):
        sources.fetch("nobody", CandleRequest("BTCUSD", "1h", NOW, NOW))
    with pytest.raises(UnknownAsset):
        sources.fetch("binance", CandleRequest("NOPE", "1h", NOW, NOW))
    with pytest.raises(UnknownTimeframe):
        sources.fetch("binance", CandleRequest("BTCUSD", "7m", NOW, NOW))
    assert exchange.calls == 0


def test_many_threads_may_fetch_at_once(sources: Sources, ask: Ask) -> None:
    requests = [ask("1m", timedelta(hours=hours)) for hours in range(1, 17)]
    with ThreadPoolExecutor(8) as pool:
        fetched = list(pool.map(lambda request: sources.fetch("binance", request), requests))
    assert [len(one.candles) for one in fetched] == [60 * hours for hours in range(1, 17)]


def test_calls_are_counted_without_a_base_url_or_a_key(ask: Ask) -> None:
    with Sources(quick_settings(api_key=None, token=None)) as sources:
        assert sources.calls_needed("simulated", ask("1m", timedelta(days=1))) == 2
        assert sources.calls_needed("oanda", ask("1m", timedelta(days=4))) == 2


def test_warming_up_asks_nobody(exchange: RunningExchange, sources: Sources) -> None:
    for breaker in sources.breaker_states():
        sources.warm_up(breaker.provider)
    assert exchange.calls == 0


def test_connections_are_given_back_when_sources_are_forgotten(
    exchange: RunningExchange, ask: Ask
) -> None:
    sources = Sources(quick_settings(), {"simulated": exchange.base_url("binance")})
    sources.fetch("simulated", ask("1h"))
    del sources
    gc.collect()  # an open socket would warn, and a warning is an error here
