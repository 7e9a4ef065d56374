"""Keys and tokens stay where they belong, whatever goes wrong."""

from __future__ import annotations

import logging
import pickle
import traceback
from urllib.parse import quote

import pytest
import structlog
from pydantic import SecretStr

from lakehouse.errors import SourceError
from lakehouse.simulated import RunningExchange
from lakehouse.sources import Fetched, Sources

from .conftest import API_KEY, TOKEN, Ask, MakeSources

LOGIN = "hunter2"


def reveals(text: str) -> bool:
    return any(secret in text for secret in (API_KEY, quote(API_KEY, safe=""), TOKEN, LOGIN))


@pytest.mark.parametrize("provider", ["alpha_vantage", "oanda"])
def test_candles_do_not_tell_the_key(sources: Sources, ask: Ask, provider: str) -> None:
    fetched: Fetched = sources.fetch(provider, ask("1h"))
    assert fetched.candles
    assert not reveals(repr(fetched))


@pytest.mark.parametrize("fault", ["server_errors", "rate_limits", "malformed_json"])
@pytest.mark.parametrize("provider", ["alpha_vantage", "oanda"])
def test_errors_and_logs_do_not_tell_the_key(
    exchange: RunningExchange,
    make_sources: MakeSources,
    ask: Ask,
    caplog: pytest.LogCaptureFixture,
    provider: str,
    fault: str,
) -> None:
    exchange.change(**{fault: 1})
    caplog.set_level(logging.DEBUG)
    sources = make_sources({"simulated": exchange.base_url(provider)}, dialect=provider)
    with structlog.testing.capture_logs() as events, pytest.raises(SourceError) as caught:
        sources.fetch("simulated", ask("1h"))
    assert not reveals("".join(traceback.format_exception(caught.value)))
    assert not reveals(repr(pickle.loads(pickle.dumps(caught.value))))  # noqa: S301 - our own
    assert not reveals(caplog.text + repr(events))


def test_an_answer_that_repeats_the_key_is_not_repeated(
    make_sources: MakeSources, ask: Ask
) -> None:
    sources = make_sources(api_key=SecretStr("EXHAUSTED-key"))
    fetched = sources.fetch("alpha_vantage", ask("1h"))
    assert fetched.provider == "coinbase"
    assert "EXHAUSTED" not in repr([str(failure) for failure in fetched.failures])


@pytest.mark.parametrize("provider", ["binance", "coinbase", "kraken", "oanda"])
def test_a_login_in_the_base_url_is_not_told(
    exchange: RunningExchange, make_sources: MakeSources, ask: Ask, provider: str
) -> None:
    url = exchange.base_url(provider).replace("://", f"://user:{LOGIN}@")
    fetched = make_sources({provider: url}).fetch(provider, ask("1h"))
    assert not reveals(repr(fetched))
    exchange.change(server_errors=1)
    with pytest.raises(SourceError) as caught:
        make_sources({"simulated": url}, dialect=provider).fetch("simulated", ask("1h"))
    assert not reveals(str(caught.value))
