"""Fetching candles: the provider that was asked for, then the next ones in the configured order."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Mapping
from types import TracebackType

from lakehouse.errors import AllSourcesFailed, FetchCancelled, RequestRefused, SourceError
from lakehouse.settings import Provider, Settings
from lakehouse.sources.adapters import ADAPTERS, Adapter
from lakehouse.sources.breaker import BreakerState, CircuitBreaker
from lakehouse.sources.candles import CandleRequest, Fetched
from lakehouse.sources.paging import OnPage, Paging
from lakehouse.timeframes import step

SIMULATED = "simulated"


def asking_order(settings: Settings, provider: str) -> list[str]:
    """Who is asked: `provider`, those after it in the order of preference, those before it.

    What is simulated never stands in for what is real, nor the other way round.
    """
    if provider == SIMULATED or not settings.fallback:
        return [provider]
    preference = [name for name in settings.provider_preference if name != SIMULATED]
    after = preference.index(provider) + 1 if provider in preference else 0
    others = preference[after:] + preference[:after]
    return [provider, *(name for name in others if name != provider)]


def has_timeframe(settings: Settings, provider: str, timeframe: str) -> bool:
    """Whether the provider has candles of that length. Raises UnknownProvider."""
    return timeframe in ADAPTERS[settings.provider_named(provider).dialect].timeframes


def is_set_up(settings: Settings, provider: str) -> bool:
    """Whether the settings say where the provider is, and the key if it needs one; the simulated
    exchange is found when it is started. Raises UnknownProvider."""
    entry = settings.provider_named(provider)
    needs = ADAPTERS[entry.dialect].needs
    has_key = needs is None or bool(getattr(entry, needs))
    return has_key and (entry.base_url is not None or provider == SIMULATED)


class Sources:
    """All configured providers. Thread-safe; one for a process, closed at its end.

    `base_urls` overrides the settings' by provider, e.g. for the embedded exchange, whose port is
    only known once it runs. Connections are given back at the latest when this is forgotten.
    """

    def __init__(self, settings: Settings, base_urls: Mapping[str, str] | None = None) -> None:
        self._settings = settings
        self._base_urls = dict(base_urls or {})
        self._lock = threading.Lock()
        self._adapters: dict[str, Adapter] = {}
        self._finalizer = weakref.finalize(self, _close_all, self._adapters)
        self._breakers = {name: _breaker(name, p) for name, p in settings.providers.items()}

    def __enter__(self) -> Sources:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give back all connections."""
        _close_all(self._adapters)

    def fetch(
        self,
        provider: str,
        request: CandleRequest,
        on_page: OnPage | None = None,
        cancelled: threading.Event | None = None,
    ) -> Fetched:
        """The closed candles of `request`, from `provider` or whoever has them after it.

        `on_page` gets the number of candles each call brought. Raises UnknownProvider,
        UnknownAsset, UnknownTimeframe; FetchCancelled; the SourceError of the only provider there
        is to ask, or AllSourcesFailed.
        """
        self._settings.provider_named(provider)
        step(request.timeframe)
        failures: list[SourceError] = []
        calls = 0
        for name in asking_order(self._settings, provider):
            paging = None
            try:
                paging = self._paging(name, request, cancelled)
                candles = paging.candles(on_page)
                return Fetched(candles, name, calls + paging.calls, failures)
            except FetchCancelled:
                raise
            except SourceError as error:
                failures.append(error)
                calls += paging.calls if paging else 0
        raise _summary(request, failures)

    def calls_needed(self, provider: str, request: CandleRequest) -> int:
        """How many calls `fetch` makes of `provider` if none fails; 0 if it has no such candles.

        Neither a base URL nor a key is needed for that.
        """
        adapter = ADAPTERS[self._settings.provider_named(provider).dialect]
        step(request.timeframe)
        return len(adapter.pages(request)) if request.timeframe in adapter.timeframes else 0

    def warm_up(self, provider: str) -> None:
        """Import what calls to `provider` need, e.g. while an engine starts: two seconds."""
        ADAPTERS[self._settings.provider_named(provider).dialect].warm_up()

    def breaker_states(self) -> list[BreakerState]:
        """How each provider's circuit breaker stands, in the settings' order."""
        return [breaker.state for breaker in self._breakers.values()]

    def _paging(
        self, name: str, request: CandleRequest, cancelled: threading.Event | None
    ) -> Paging:
        """Raises RequestRefused if `name` is known to have no such candles."""
        adapter = self._adapter(name, request)
        if request.timeframe not in adapter.timeframes:
            raise _refused(name, request, "it has no candles of that length")
        asset = self._settings.asset(request.asset_pair)
        symbol = asset.symbols.get(name) or self._dialect_symbol(name, request.asset_pair)
        return Paging(
            name, adapter, self._breakers[name], symbol or adapter.symbol(asset), request, cancelled
        )

    def _dialect_symbol(self, name: str, asset_pair: str) -> str | None:
        """The simulated exchange uses the names of the one whose dialect it speaks."""
        if name != SIMULATED:
            return None
        dialect = self._settings.providers[name].dialect
        return self._settings.asset(asset_pair).symbols.get(dialect)

    def _adapter(self, name: str, request: CandleRequest) -> Adapter:
        with self._lock:
            if name not in self._adapters:
                self._adapters[name] = self._open(name, request)
            return self._adapters[name]

    def _open(self, name: str, request: CandleRequest) -> Adapter:
        provider = self._settings.provider_named(name)
        base_url = self._base_urls.get(name) or provider.base_url
        kind = ADAPTERS[provider.dialect]
        if base_url is None:
            raise _refused(name, request, "it has no base_url in the settings")
        if kind.needs and not getattr(provider, kind.needs):
            variable = f"LAKEHOUSE__PROVIDERS__{name.upper()}__{kind.needs.upper()}"
            raise _refused(name, request, f"it needs {variable}")
        return kind(provider, str(base_url))


def _close_all(adapters: Mapping[str, Adapter]) -> None:
    for adapter in list(adapters.values()):
        adapter.close()


def _breaker(name: str, provider: Provider) -> CircuitBreaker:
    return CircuitBreaker(name, provider.break_after_failures, provider.break_seconds)


def _refused(name: str, request: CandleRequest, problem: str) -> RequestRefused:
    return RequestRefused(provider=name, subject=request.subject, problem=problem)


def _summary(request: CandleRequest, failures: list[SourceError]) -> SourceError:
    if len(failures) == 1:
        return failures[0]
    problems = " ".join(str(failure) for failure in failures)
    return AllSourcesFailed(subject=request.subject, problems=problems, failures=failures)
