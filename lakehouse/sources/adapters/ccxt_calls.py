"""Calls through ccxt: its transport, its pacing and its reading of each exchange's errors.

Its raw endpoints are used, not `fetch_ohlcv`, because a row has to be kept as it arrived.
"""

from __future__ import annotations

import json
import queue
from abc import abstractmethod
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from typing import Any, ClassVar

from lakehouse.settings import Provider
from lakehouse.sources.adapters.base import Adapter, Answer, without_login
from lakehouse.sources.adapters.statuses import as_of, problem_of, retry_after
from lakehouse.sources.pacing import Pause
from lakehouse.sources.problems import Limited, Malformed, Problem, Refused, Unavailable

# Errors of which ccxt tells the URL alone.
WORDLESS = {
    "NetworkError": "it cannot be reached",
    "RequestTimeout": "no answer in time",
    "ExchangeError": "an answer that is no answer",
}


class CcxtAdapter(Adapter):
    """An exchange that ccxt knows. Its objects are not thread-safe: each call borrows one."""

    exchange_name: ClassVar[str]

    def __init__(self, provider: Provider, base_url: str) -> None:
        super().__init__(provider, base_url)
        self._idle: queue.SimpleQueue[Any] = queue.SimpleQueue()

    @abstractmethod
    def point(self, exchange: Any) -> None:
        """Direct a ccxt exchange to the base URL."""

    def call(self, pause: Pause, ask: Callable[[Any], Any]) -> tuple[Any, Answer]:
        """The payload of one call, and an Answer that still lacks its rows. Raises Problem."""
        exchange = self._borrow(pause)
        try:
            payload = self._ask(exchange, ask)
            source = without_login(exchange.last_request_url)
            return payload, Answer([], source, as_of(exchange.asked_at, exchange.answer_headers))
        finally:
            self._idle.put(exchange)

    @classmethod
    def warm_up(cls) -> None:
        _ccxt()

    def close(self) -> None:
        while not self._idle.empty():
            self._idle.get().session.close()

    def _ask(self, exchange: Any, ask: Callable[[Any], Any]) -> Any:
        ccxt = _ccxt()
        exchange.forget_answer()
        try:
            payload = ask(exchange)
        except ccxt.BaseError as error:
            raise _problem(error, exchange) from None
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            # ccxt reads the text of an error without looking whether it has the promised shape.
            raise Malformed(f"an answer ccxt cannot read ({type(error).__name__})") from None
        if isinstance(payload, str):
            raise Malformed("the answer is not JSON")
        return payload

    def _borrow(self, pause: Pause) -> Any:
        try:
            exchange = self._idle.get_nowait()
        except queue.Empty:
            exchange = self._open()
        exchange.pause = pause
        return exchange

    def _open(self) -> Any:
        exchange = _exchange_class(self.exchange_name)(
            {
                "timeout": int(self.provider.timeout_seconds * 1000),
                "enableRateLimit": True,
                "enableLastHttpResponse": False,
                "enableLastJsonResponse": False,
                "requests_trust_env": not self.is_on_loopback,
            }
        )
        exchange.adapter = self
        self.point(exchange)
        return exchange


def _ccxt() -> Any:
    # It takes two seconds to import, and is not needed until someone calls.
    return import_module("ccxt")


@cache
def _exchange_class(name: str) -> Any:
    return type(name, (_Remembering, getattr(_ccxt(), name)), {})


class _Remembering:
    """What is added to a ccxt exchange: the shared pace, and a memory of the last answer."""

    adapter: CcxtAdapter
    pause: Pause
    rateLimit: float
    status: int | None
    asked_at: datetime
    answer_headers: Mapping[str, str]

    def forget_answer(self) -> None:
        self.status, self.answer_headers = None, {}
        self.asked_at = datetime.now(UTC)

    def throttle(self, cost: float | None = None) -> None:
        own = self.rateLimit * (1 if cost is None else cost) / 1000
        self.adapter.limiter.wait(self.adapter.seconds_apart(own), self.pause)
        self.asked_at = datetime.now(UTC)

    def on_rest_response(
        self, code: int, reason: str, url: str, method: str, headers: Any, body: str, *request: Any
    ) -> str:
        self.status, self.answer_headers = code, headers
        return body.strip()

    def on_json_response(self, body: str) -> Any:
        return json.loads(body)  # ccxt would turn numbers into texts


def _problem(error: Exception, exchange: Any) -> Problem:
    """By the status where it says something; ccxt's own reading for errors that come with 200."""
    ccxt = _ccxt()
    text = _text(error, exchange)
    told = problem_of(exchange.status or 0, text, exchange.answer_headers)
    if told:
        return told
    if isinstance(error, ccxt.RateLimitExceeded | ccxt.DDoSProtection):
        return Limited(text, retry_after(exchange.answer_headers))
    return Unavailable(text) if isinstance(error, ccxt.OperationFailed) else Refused(text)


def _text(error: Exception, exchange: Any) -> str:
    """ccxt's message without its own name and the URL, which say nothing new."""
    text = str(error).removeprefix(f"{exchange.id} ").removeprefix("GET ")
    text = text.replace(exchange.last_request_url or " ", "").strip()
    return text or WORDLESS.get(type(error).__name__, type(error).__name__)
