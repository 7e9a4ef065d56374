"""A trade feed that sends what a test tells it to."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import orjson
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

SUBSCRIPTIONS = 2


class FeedServer:
    """`scripts` are the frames of the first connection, the second and so on; None hangs up.

    They are sent after two symbols were subscribed to.
    """

    def __init__(self, scripts: Sequence[Sequence[str | bytes | None]]) -> None:
        self.port = 0
        self.paths: list[str] = []
        self.received: list[list[object]] = []
        self._scripts = list(scripts)
        self._connections: list[ServerConnection] = []

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/feed"

    def send(self, frame: str) -> None:
        """To the newest connection."""
        self._connections[-1].send(frame)

    def handle(self, connection: ServerConnection) -> None:
        number = len(self._connections)
        self._connections.append(connection)
        self.paths.append(connection.request.path if connection.request else "")
        self.received.append([])
        script = self._scripts[number] if number < len(self._scripts) else []
        try:
            for _ in range(SUBSCRIPTIONS):
                self.received[number].append(orjson.loads(connection.recv()))
            for frame in script:
                if frame is None:
                    return
                connection.send(frame)
            for message in connection:
                self.received[number].append(orjson.loads(message))
        except ConnectionClosed:
            return


@contextmanager
def feed_server(*scripts: Sequence[str | bytes | None]) -> Iterator[FeedServer]:
    feed = FeedServer(scripts)
    with serve(feed.handle, "127.0.0.1", 0, compression=None) as server:
        feed.port = server.socket.getsockname()[1]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield feed
        finally:
            for connection in feed._connections:
                connection.close()
            server.shutdown()
            thread.join()


def trade(**changes: object) -> dict[str, object]:
    good = {"c": ["1"], "p": 67012.55, "s": "BINANCE:BTCUSDT", "t": 1763728800123, "v": 0.5}
    return {**good, **changes}


def frame_of(*trades: object) -> str:
    return orjson.dumps({"data": trades, "type": "trade"}).decode()
