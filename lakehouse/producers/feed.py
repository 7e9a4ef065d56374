"""The trade feed: a websocket that is opened again whenever it breaks, ends or falls silent."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit, urlunsplit

import orjson
import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidURI, WebSocketException

from lakehouse.errors import EngineStartFailed, InvalidSetting
from lakehouse.exchange import exchange_service
from lakehouse.places import config_file
from lakehouse.producers.journal import Journal
from lakehouse.producers.metrics import Metrics
from lakehouse.producers.trades import PROVIDER, TradeReader
from lakehouse.settings import Settings
from lakehouse.sources.adapters.base import LOOPBACK, without_login

log = structlog.get_logger(__name__)

LARGEST_FRAME = 16 * 1024 * 1024
OPEN_SECONDS = 10
PONG = b'{"type":"pong"}'
HIDDEN = "***"
# The library's own log has the URL of every request, and with it the token.
QUIET = logging.getLogger(f"{__name__}.websocket")
QUIET.setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class Address:
    """Where the feed is. `shown` is the URL without its token, user and password."""

    url: str = field(repr=False)
    shown: str

    @property
    def is_on_loopback(self) -> bool:
        return urlsplit(self.shown).hostname in LOOPBACK


def address_of(settings: Settings) -> Address:
    """Where the feed is now; the simulated exchange is started if need be.

    Raises EngineStartFailed.
    """
    feed = settings.streams.trade_feed
    if feed.url is None:
        url = f"ws://127.0.0.1:{exchange_service(settings).ensure().port}/finnhub"
        return Address(url, url)
    parts = urlsplit(feed.url)
    shown = without_login(urlunsplit(parts._replace(query="")))
    if feed.token is None:
        return Address(feed.url, shown)
    token = f"token={quote(feed.token.get_secret_value(), safe='')}"
    query = f"{parts.query}&{token}" if parts.query else token
    return Address(urlunsplit(parts._replace(query=query)), shown)


class TradeFeed:
    """Receives trades for ever and puts them into the journal."""

    def __init__(self, settings: Settings, journal: Journal, metrics: Metrics) -> None:
        self._settings = settings
        self._options = settings.streams.trade_feed
        self._journal = journal
        self._metrics = metrics
        self._failures = 0

    async def receive(self) -> None:
        """Raises StreamFailed where the journal cannot be written, InvalidSetting for the URL."""
        while True:
            try:
                address = await asyncio.to_thread(address_of, self._settings)
                await self._listen(address)
            except InvalidURI:
                raise self._invalid_url() from None
            except TimeoutError:
                self._lost("it is silent")
            except (OSError, WebSocketException, EngineStartFailed) as error:
                self._lost(str(error) or type(error).__name__)
            await asyncio.sleep(self._pause())

    async def _listen(self, address: Address) -> None:
        """Until the connection ends, in whatever way."""
        async with connect(
            address.url,
            open_timeout=OPEN_SECONDS,
            close_timeout=1,
            compression=None,  # unpacking costs more than the trades do
            max_size=LARGEST_FRAME,
            proxy=None if address.is_on_loopback else True,
            logger=QUIET,
        ) as connection:
            log.info("feed_connected", address=address.shown)
            for symbol in self._options.symbols:
                await connection.send(
                    orjson.dumps({"type": "subscribe", "symbol": symbol}), text=True
                )
            await self._take_all(connection, TradeReader(address.shown))

    async def _take_all(self, connection: ClientConnection, reader: TradeReader) -> None:
        silence, now = self._options.silence_seconds, asyncio.get_running_loop().time
        async with asyncio.timeout(silence) as limit:
            while True:
                frame = await connection.recv(decode=False)
                limit.reschedule(now() + silence)
                self._failures = 0
                if self._take(frame, reader):
                    await connection.send(PONG, text=True)

    def _take(self, frame: bytes, reader: TradeReader) -> bool:
        """Whether it wants an answer."""
        outcome = reader.read(frame, time.time_ns() // 1000)
        if outcome.lines:
            self._journal.append(outcome.lines)
            self._metrics.count(outcome.received, outcome.rejected)
        elif outcome.error is not None:
            self._metrics.error(PROVIDER)
            log.warning("feed_error", message=self._hidden(outcome.error))
        return outcome.is_ping

    def _lost(self, problem: str) -> None:
        self._failures += 1
        self._metrics.reconnects.inc()
        log.warning("feed_lost", problem=self._hidden(problem), failures=self._failures)

    def _pause(self) -> float:
        """Seconds before the next attempt, so spread that not everybody comes back at once."""
        feed = self._options
        doubled = feed.backoff_seconds * 2.0 ** min(self._failures - 1, 30)
        longest = min(doubled, feed.longest_backoff_seconds)
        return longest * random.uniform(0.5, 1)  # noqa: S311 - no secret depends on it

    def _hidden(self, text: str) -> str:
        secret = self._options.token.get_secret_value() if self._options.token else ""
        for shape in (secret, quote(secret, safe="")):
            text = text.replace(shape, HIDDEN) if shape else text
        return text

    def _invalid_url(self) -> InvalidSetting:
        problem = "it is no websocket address"
        return InvalidSetting(name="streams.trade_feed.url", problem=problem, where=config_file())
