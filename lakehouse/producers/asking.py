"""Asking an exchange for tickers, with retries; a call that failed is a Problem."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote as quoted
from urllib.parse import urlsplit

import httpx
import orjson
from tenacity import (
    AsyncRetrying,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential_jitter,
)

from lakehouse.producers.prices import NOT_A_TICKER, Quote, price_lines, refused_lines
from lakehouse.producers.rejected import NOT_JSON
from lakehouse.producers.tickers import TICKER_DIALECTS
from lakehouse.settings import Provider
from lakehouse.sources.adapters.base import LOOPBACK, without_login
from lakehouse.sources.adapters.statuses import problem_of
from lakehouse.sources.problems import Limited, Problem, Unavailable

LONGEST_PAUSE = 10.0
LONGEST_TEXT = 200


class Asker:
    """One exchange. Its client is opened by the first call and belongs to one event loop."""

    def __init__(self, exchange: str, dialect: str, provider: Provider) -> None:
        self.exchange = exchange
        self._dialect = TICKER_DIALECTS[dialect]
        self._provider = provider
        self._client: httpx.AsyncClient | None = None

    async def ask(self, base_url: str, asset_pair: str, symbol: str) -> tuple[bytes, list[str]]:
        """Lines for the journal, and the reasons why the ticker was rejected. Raises Problem."""
        paths = [path.format(quoted(symbol, safe="")) for path in self._dialect.paths]
        answers = [await self._get(base_url.rstrip("/") + path) for path in paths]
        received_us = time.time_ns() // 1000
        source = without_login(base_url.rstrip("/") + paths[0])
        raw = "\n".join(answer.text for answer in answers)
        quote = Quote(self.exchange, asset_pair, received_us, source, raw)
        try:
            payloads = [orjson.loads(answer.content) for answer in answers]
        except orjson.JSONDecodeError:
            return refused_lines(quote, [NOT_JSON]), [NOT_JSON]
        return self._read(quote, payloads)

    def _read(self, quote: Quote, payloads: list[Any]) -> tuple[bytes, list[str]]:
        try:
            ticker = self._dialect.read(payloads, quote.received_us // 1000)
        except (AttributeError, LookupError, TypeError, ValueError):
            return refused_lines(quote, [NOT_A_TICKER]), [NOT_A_TICKER]
        return price_lines(quote, ticker)

    async def close(self) -> None:
        if self._client:
            await self._client.aclose()

    async def _get(self, url: str) -> httpx.Response:
        backoff = self._provider.backoff_seconds
        retrying = AsyncRetrying(
            stop=stop_after_attempt(self._provider.attempts),
            wait=wait_exponential_jitter(multiplier=backoff, max=LONGEST_PAUSE, jitter=backoff),
            retry=retry_if_exception(_may_pass),
            reraise=True,
        )
        answer: httpx.Response = await retrying(self._get_once, url)
        return answer

    async def _get_once(self, url: str) -> httpx.Response:
        if self._client is None:
            is_near = urlsplit(url).hostname in LOOPBACK
            timeout = self._provider.timeout_seconds
            self._client = httpx.AsyncClient(timeout=timeout, trust_env=not is_near)
        try:
            answer = await self._client.get(url)
        except httpx.TimeoutException:
            raise Unavailable(f"no answer within {self._provider.timeout_seconds} s") from None
        except httpx.HTTPError as error:
            raise Unavailable(str(error) or type(error).__name__) from None
        text = answer.text[:LONGEST_TEXT]
        if problem := problem_of(answer.status_code, text, answer.headers):
            raise problem
        return answer


def _may_pass(error: BaseException) -> bool:
    # A limit is not met by asking again soon: the poller waits for its next turn.
    return isinstance(error, Problem) and error.may_pass and not isinstance(error, Limited)
