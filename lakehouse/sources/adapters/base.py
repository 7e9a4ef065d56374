"""What every provider's adapter knows: its timeframes, its page size, its names, its rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit, urlunsplit

from lakehouse.settings import Asset, Provider
from lakehouse.sources.candles import CandleRequest, number
from lakehouse.sources.pacing import Pause, RateLimiter
from lakehouse.timeframes import ceil, step

LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a request that one call can answer: candles that open in [start, end)."""

    timeframe: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows as they arrived, where from, and the time up to which they tell the truth."""

    rows: list[Any]
    source: str
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Figures:
    """What a row says, a field that does not parse being None."""

    timestamp: datetime | None = None
    open: float | None = None
    high: float | None = None
    low: float | None = None
    close: float | None = None
    volume: float | None = None
    is_closed: bool = True

    @classmethod
    def read(cls, timestamp: datetime | None, figures: Sequence[Any], is_closed: bool) -> Figures:
        """From open, high, low, close and volume as they arrived."""
        open_, high, low, close, volume = map(number, figures)
        return cls(timestamp, open_, high, low, close, volume, is_closed)


class Adapter(ABC):
    """One provider. Thread-safe: several threads may ask at once."""

    # Its word for each timeframe it has.
    timeframes: ClassVar[Mapping[str, str]]
    # How many candles one call may ask for; None: one call gives all there is.
    page_candles: ClassVar[int | None]
    # The field of its settings without which it cannot be asked.
    needs: ClassVar[str | None] = None

    def __init__(self, provider: Provider, base_url: str) -> None:
        self.provider = provider
        self.base_url = base_url.rstrip("/")
        self.limiter = RateLimiter()

    @abstractmethod
    def symbol(self, asset: Asset) -> str:
        """The provider's own name for a pair, where the settings do not give one."""

    @abstractmethod
    def ask(self, symbol: str, page: Page, pause: Pause) -> Answer:
        """Make one call. Raises Problem."""

    @abstractmethod
    def read(self, row: Any) -> Figures:
        """What a row says. Never raises."""

    @classmethod
    @abstractmethod
    def warm_up(cls) -> None:
        """Import what the first call would otherwise wait for."""

    @abstractmethod
    def close(self) -> None:
        """Give back connections; the next call opens new ones."""

    @classmethod
    def candles_per_page(cls, timeframe: str) -> int | None:
        return cls.page_candles

    @classmethod
    def pages(cls, request: CandleRequest) -> list[Page]:
        """The calls that answer `request`."""
        length = step(request.timeframe)
        start = ceil(request.start, length)
        if start >= request.end:
            return []
        per_page = cls.candles_per_page(request.timeframe)
        if per_page is None:
            return [Page(request.timeframe, start, request.end)]
        reach = per_page * length
        count = -((start - request.end) // reach)
        return [
            Page(request.timeframe, start + i * reach, min(start + (i + 1) * reach, request.end))
            for i in range(count)
        ]

    @property
    def is_on_loopback(self) -> bool:
        return urlsplit(self.base_url).hostname in LOOPBACK

    def seconds_apart(self, own: float) -> float:
        """Between two calls: as the settings say, else the API's `own`; nothing on loopback."""
        if self.provider.calls_per_minute:
            return 60 / self.provider.calls_per_minute
        return 0 if self.is_on_loopback else own

    @property
    def secrets(self) -> list[str]:
        """The texts that must not be seen, as they are and as they look in a URL."""
        held = (self.provider.api_key, self.provider.token)
        texts = [text for secret in held if secret and (text := secret.get_secret_value())]
        return texts + [quote(text, safe="") for text in texts]


def without_login(url: str) -> str:
    """The URL without the user and password that may be written into it."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def milliseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def seconds(moment: datetime) -> int:
    return milliseconds(moment) // 1000
