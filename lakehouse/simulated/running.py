"""Running the exchange: in this process until it is told to end, or beside it in a thread."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from lakehouse.errors import EngineStartFailed
from lakehouse.simulated.exchange import Exchange
from lakehouse.simulated.faults import Faults
from lakehouse.simulated.server import application

HOST = "127.0.0.1"
START_SECONDS = 20


def serve(port: int, faults: Faults, on_start: Callable[[int], None] | None = None) -> None:
    """Serve on loopback until SIGTERM or SIGINT. `on_start` gets the port, which 0 leaves open."""
    with _listening(port) as listener:
        if on_start:
            on_start(listener.getsockname()[1])
        _server(Exchange(faults)).run(sockets=[listener])


class RunningExchange:
    """An exchange that runs in a thread of this process."""

    def __init__(self, exchange: Exchange, port: int) -> None:
        self.exchange = exchange
        self.port = port

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def base_url(self, dialect: str) -> str:
        """What a provider's `base_url` must be to be served in that dialect."""
        return base_url(self.port, dialect)

    @property
    def feed_url(self) -> str:
        return feed_url(self.port)

    @property
    def faults(self) -> Faults:
        return self.exchange.faults

    def change(self, **faults: Any) -> None:
        """Change the named faults; the others stay. The counts begin anew."""
        self.exchange.faults = Faults.model_validate(self.faults.model_dump() | faults)
        self.exchange.requests.clear()

    def reset(self, **faults: Any) -> None:
        """The named faults and no others. The counts begin anew."""
        self.exchange.faults = Faults(**faults)
        self.exchange.requests.clear()

    @property
    def calls(self) -> int:
        """How many requests came since the last change."""
        return self.exchange.requests.total()


def base_url(port: int, dialect: str) -> str:
    return f"http://{HOST}:{port}/{dialect}"


def feed_url(port: int) -> str:
    """The websocket of the trade feed; a token may follow it, and none is asked for."""
    return f"ws://{HOST}:{port}/finnhub"


@contextmanager
def running_exchange(**faults: Any) -> Iterator[RunningExchange]:
    """An exchange on a free port, for as long as the block lasts."""
    exchange = Exchange(Faults(**faults))
    with _listening(0) as listener:
        server = _server(exchange)
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        try:
            _await_start(server, thread)
            yield RunningExchange(exchange, listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join()


def _await_start(server: uvicorn.Server, thread: threading.Thread) -> None:
    pause = threading.Event()
    for _ in range(START_SECONDS * 100):
        if server.started:
            return
        if not thread.is_alive():
            break
        pause.wait(0.01)
    problem = "its server did not come up"
    raise EngineStartFailed(engine="simulated exchange", problem=problem, log="none")


def _listening(port: int) -> socket.socket:
    # asyncio turns off Nagle's delay only where the protocol is named: 40 ms for every answer.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((HOST, port))
    listener.listen(128)
    return listener


def _server(exchange: Exchange) -> uvicorn.Server:
    config = uvicorn.Config(
        application(exchange),
        log_level="warning",
        access_log=False,
        date_header=False,  # the exchange's own clock writes it
        lifespan="off",
        ws="websockets-sansio",
        ws_per_message_deflate=False,  # nothing is saved on loopback
        ws_ping_interval=None,
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)
