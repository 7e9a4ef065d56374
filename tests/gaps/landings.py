"""Real landings for the gap ledger: a lake on Sail, fed by the simulated exchange."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from io import StringIO

from pydantic import HttpUrl
from rich.console import Console

from lakehouse import pipeline
from lakehouse.backfill import make_request
from lakehouse.cli.progress import Lines
from lakehouse.gaps import read_gaps
from lakehouse.pipeline import Done, Prepared, Start
from lakehouse.settings import Settings
from lakehouse.simulated import RunningExchange

NOW = datetime(2026, 3, 15, 12, 0, 30, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
QUIET = Lines(Console(file=StringIO()))
Seen = tuple[datetime, datetime, str, int]  # from, to, class, candles


@dataclass(frozen=True)
class LandingLake:
    """A lake whose providers binance and kraken are the exchange; neither steps in for the other
    unless that is asked for."""

    settings: Settings
    exchange: RunningExchange

    def prepare(
        self, start: str, end: str, timeframes: str = "1m", provider: str = "binance"
    ) -> Prepared:
        request = make_request(
            self.settings,
            assets=["BTCUSD"],
            timeframes=timeframes.split(","),
            start=start,
            end=end,
            provider=provider,
        )
        return pipeline.prepare(self.settings, request, Start.MISSING)

    def backfill(
        self, start: str, end: str, timeframes: str = "1m", provider: str = "binance"
    ) -> Done:
        return self.run(self.prepare(start, end, timeframes, provider))

    def run(self, prepared: Prepared) -> Done:
        return pipeline.run(self.settings, prepared, QUIET, with_build=False)

    def gaps(self, provider: str = "binance", timeframe: str = "1m") -> list[Seen]:
        found = read_gaps(self.settings, timeframes=[timeframe], providers=[provider])
        return [(gap.start, gap.end, gap.gap_class, gap.candles) for gap in found]

    def changed(self, **settings: object) -> LandingLake:
        return LandingLake(self.settings.model_copy(update=settings), self.exchange)


def exchange_settings(settings: Settings, exchange: RunningExchange) -> Settings:
    """The settings with the exchange as both providers, asked without waiting."""
    quick = {"backoff_seconds": 0, "calls_per_minute": None, "break_after_failures": 100}
    providers = {
        name: settings.providers[name].model_copy(
            update={**quick, "base_url": HttpUrl(exchange.base_url(name))}
        )
        for name in ("binance", "kraken")
    }
    return settings.model_copy(
        update={
            "providers": {**settings.providers, **providers},
            "provider_preference": ("binance", "kraken"),
            "fallback": False,
            "data_docs": False,
        }
    )


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
