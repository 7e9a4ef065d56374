"""The ticker poll: each exchange is asked at its own pace, and none waits for another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from lakehouse.errors import EngineStartFailed, InvalidSetting
from lakehouse.exchange import exchange_service
from lakehouse.places import config_file
from lakehouse.producers.asking import Asker
from lakehouse.producers.journal import Journal
from lakehouse.producers.metrics import Metrics
from lakehouse.producers.rejected import BETWEEN
from lakehouse.producers.tickers import TICKER_DIALECTS, TICKER_HOSTS
from lakehouse.settings import Provider, Settings
from lakehouse.sources.adapters import ADAPTERS
from lakehouse.sources.problems import Limited, Problem

log = structlog.get_logger(__name__)

SIMULATED = "simulated"


@dataclass(frozen=True, slots=True)
class Polled:
    """An exchange that is asked: `symbols` by asset pair; `base_url` may start what it names."""

    asker: Asker
    base_url: Callable[[], str]
    symbols: dict[str, str]


class TickerPoll:
    """Asks for tickers for ever and puts them into the journal."""

    def __init__(self, settings: Settings, journal: Journal, metrics: Metrics) -> None:
        """Raises InvalidSetting, UnknownProvider, UnknownAsset."""
        self._every = settings.streams.ticker_poll.every_seconds
        self._journal = journal
        self._metrics = metrics
        self._polled = polled_exchanges(settings)

    async def receive(self) -> None:
        """Raises StreamFailed where the journal cannot be written."""
        try:
            await asyncio.gather(*map(self._poll, self._polled))
        finally:
            for polled in self._polled:
                await polled.asker.close()

    async def _poll(self, polled: Polled) -> None:
        now = asyncio.get_running_loop().time
        while True:
            due = now() + self._every
            try:
                base_url = await asyncio.to_thread(polled.base_url)
            except EngineStartFailed as error:
                self._failed(polled, "", str(error))
            else:
                asks = [self._ask(polled, base_url, pair) for pair in polled.symbols]
                due += max(await asyncio.gather(*asks))
            await asyncio.sleep(due - now())

    async def _ask(self, polled: Polled, base_url: str, asset_pair: str) -> float:
        """How many seconds longer than usual the exchange wants to be left alone."""
        asker = polled.asker
        try:
            lines, reasons = await asker.ask(base_url, asset_pair, polled.symbols[asset_pair])
        except Problem as problem:
            self._failed(polled, asset_pair, str(problem))
            return (problem.seconds or self._every) if isinstance(problem, Limited) else 0
        self._journal.append(lines)
        self._metrics.count(1, {BETWEEN.join(reasons): 1} if reasons else {})
        return 0

    def _failed(self, polled: Polled, asset_pair: str, problem: str) -> None:
        exchange = polled.asker.exchange
        self._metrics.error(exchange)
        log.warning("ticker_failed", exchange=exchange, asset_pair=asset_pair, problem=problem)


def polled_exchanges(settings: Settings) -> list[Polled]:
    """Raises InvalidSetting, UnknownProvider, UnknownAsset."""
    return [
        polled
        for name in settings.streams.ticker_poll.exchanges
        for polled in (_simulated(settings) if name == SIMULATED else [_real(settings, name)])
    ]


def _simulated(settings: Settings) -> list[Polled]:
    """The embedded exchange three times. It may come back on another port."""

    def base_url(dialect: str) -> Callable[[], str]:
        return lambda: f"http://127.0.0.1:{exchange_service(settings).ensure().port}/{dialect}"

    provider = settings.provider_named(SIMULATED)
    return [
        Polled(
            Asker(dialect, dialect, provider),
            base_url(dialect),
            _symbols(settings, dialect, provider.model_copy(update={"dialect": dialect})),
        )
        for dialect in TICKER_DIALECTS
    ]


def _real(settings: Settings, name: str) -> Polled:
    provider = settings.provider_named(name)
    if provider.dialect not in TICKER_DIALECTS or provider.base_url is None:
        problem = f"{name} has no tickers; those that have speak {', '.join(TICKER_DIALECTS)}"
        setting = "streams.ticker_poll.exchanges"
        raise InvalidSetting(name=setting, problem=problem, where=config_file())
    named = str(provider.base_url).rstrip("/")
    base_url = TICKER_HOSTS.get(named, named)
    symbols = _symbols(settings, name, provider)
    return Polled(Asker(name, provider.dialect, provider), lambda: base_url, symbols)


def _symbols(settings: Settings, name: str, provider: Provider) -> dict[str, str]:
    adapter = ADAPTERS[provider.dialect](provider, "")
    assets = {pair: settings.asset(pair) for pair in settings.streams.ticker_poll.assets}
    return {
        pair: asset.symbols.get(name) or adapter.symbol(asset) for pair, asset in assets.items()
    }
