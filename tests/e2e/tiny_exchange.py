"""An exchange whose every candle a test decides, in Binance's dialect over real HTTP.

The simulated exchange's market is fixed by its seed; histories with corrections need a source that
changes its mind.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

HOUR_MS = 3_600_000


@dataclass
class TinyExchange:
    """Hourly candles by their opening time in ms: a close price; negative ones make broken rows."""

    closes: dict[int, float] = field(default_factory=dict)
    is_down: bool = False
    port: int = 0

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, url: str) -> tuple[int, Any]:
        if self.is_down:
            return 500, {"code": -1000, "msg": "An unknown error occurred."}
        asked = parse_qs(url)
        hours = range(int(asked["startTime"][0]), int(asked["endTime"][0]) + 1, HOUR_MS)
        return 200, [kline(hour, self.closes[hour]) for hour in hours if hour in self.closes]


def kline(hour: int, close: float) -> list[Any]:
    price = abs(close)
    high = price - 2 if close < 0 else price + 2  # below the low: the gate refuses it
    figures = [f"{value:.2f}" for value in (price, high, price - 1, price, 3.0)]
    return [hour, *figures, hour + HOUR_MS - 1, "0", 7, "0", "0", "0"]


@contextmanager
def tiny_exchange() -> Iterator[TinyExchange]:
    exchange = TinyExchange()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, payload = exchange.answer(urlsplit(self.path).query)
            body = json.dumps(payload).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Requests are not news."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        exchange.port = server.server_address[1]
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield exchange
        server.shutdown()
        thread.join()
