"""Finnhub's websocket: subscribe and unsubscribe go up, trades and pings come down."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect

from lakehouse.simulated.exchange import Exchange
from lakehouse.simulated.pairs import traded_pair
from lakehouse.simulated.tape import Dropped, Reader
from lakehouse.simulated.trade_feed import TradeFeed

PING = '{"type":"ping"}'
PING_SECONDS = 10.0
LOOK_SECONDS = 0.05


def finnhub(exchange: Exchange, feed: TradeFeed) -> Callable[[WebSocket], Awaitable[None]]:
    async def serve(socket: WebSocket) -> None:
        await socket.accept()
        await _Connection(exchange, feed, socket).last()

    return serve


class _Connection:
    def __init__(self, exchange: Exchange, feed: TradeFeed, socket: WebSocket) -> None:
        self._exchange = exchange
        self._feed = feed
        self._socket = socket
        self._reader = Reader(feed.tape)

    async def last(self) -> None:
        """Serve until either side has had enough. Returning cuts the line without a farewell."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for duty in (self._listen(), self._tell(), self._tend()):
                    tasks.create_task(duty)
        except* (WebSocketDisconnect, Dropped):
            pass
        finally:
            self._reader.close()

    async def _listen(self) -> None:
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message["code"])
            problem = self._obey(message.get("text") or message.get("bytes") or "")
            if problem:
                await self._socket.send_text(orjson.dumps(_error(problem)).decode())

    async def _tell(self) -> None:
        while True:
            await self._socket.send_text(await self._reader.next())

    async def _tend(self) -> None:
        """Ping every now and then, and drop the connection when its time is up."""
        start = pinged = time.monotonic()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            now = time.monotonic()
            if 0 < self._exchange.faults.disconnect_seconds <= now - start:
                raise Dropped
            if now - pinged >= PING_SECONDS:
                await self._socket.send_text(PING)
                pinged = now

    def _obey(self, text: str | bytes) -> str | None:
        """Do what is asked; return what is wrong with it, if anything."""
        try:
            request = orjson.loads(text)
        except orjson.JSONDecodeError:
            return "Invalid JSON"
        match request:
            case {"type": "subscribe", "symbol": str(symbol)}:
                return self._subscribe(symbol)
            case {"type": "unsubscribe", "symbol": str(symbol)}:
                self._reader.unsubscribe(symbol)
                return None
            case {"type": "subscribe" | "unsubscribe"}:
                return "Missing symbol"
            case {"type": "pong"}:
                return None
        return "Unknown message type"

    def _subscribe(self, symbol: str) -> str | None:
        pair = traded_pair(symbol)
        if pair is None or not self._exchange.faults.lists(pair.name):
            return f"Invalid symbol: {symbol}"
        self._reader.subscribe(symbol, self._feed.resend_seconds)
        self._feed.join(symbol, pair)
        return None


def _error(problem: str) -> dict[str, Any]:
    return {"msg": problem, "type": "error"}
