"""One embedded exchange for the run, its clock stopped; each test says which faults it plays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from lakehouse.settings import Settings, load_settings
from lakehouse.simulated import RunningExchange, running_exchange
from lakehouse.sources import CandleRequest, Sources

NOW = datetime(2026, 3, 15, 12, 0, 30, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
API_KEY = "sEcr3t/Key+1"
TOKEN = "t0ken-of-mine"  # noqa: S105 - it opens nothing

MakeSources = Callable[..., Sources]
Ask = Callable[..., CandleRequest]


@pytest.fixture(scope="session")
def one_exchange() -> Iterator[RunningExchange]:
    with running_exchange(now_ms=NOW_MS) as exchange:
        yield exchange


@pytest.fixture
def exchange(one_exchange: RunningExchange) -> RunningExchange:
    one_exchange.reset(now_ms=NOW_MS, retry_after_seconds=0)
    return one_exchange


@pytest.fixture
def make_sources(exchange: RunningExchange) -> Iterator[MakeSources]:
    """Sources whose providers all answer on the exchange, with keys, and retry without waiting."""
    made: list[Sources] = []

    def make(base_urls: dict[str, str] | None = None, **changes: object) -> Sources:
        settings = quick_settings(**changes)
        urls = {name: exchange.base_url(p.dialect) for name, p in settings.providers.items()}
        made.append(Sources(settings, urls | (base_urls or {})))
        return made[-1]

    yield make
    for sources in made:
        sources.close()


@pytest.fixture
def sources(make_sources: MakeSources) -> Sources:
    return make_sources()


def quick_settings(**changes: object) -> Settings:
    """The settings with keys and no waiting; `changes` go into every provider."""
    settings = load_settings()
    secrets = {"api_key": SecretStr(API_KEY), "token": SecretStr(TOKEN)}
    quick = {"backoff_seconds": 0, "calls_per_minute": None, **secrets, **changes}
    providers = {name: p.model_copy(update=quick) for name, p in settings.providers.items()}
    return settings.model_copy(update={"providers": providers})


@pytest.fixture
def ask() -> Ask:
    """A request for candles that reaches `back` from the stopped clock."""

    def make(
        timeframe: str = "1m", back: timedelta = timedelta(hours=1), asset_pair: str = "BTCUSD"
    ) -> CandleRequest:
        start = NOW.replace(second=0) - back
        return CandleRequest(asset_pair, timeframe, start, NOW + timedelta(minutes=5))

    return make
