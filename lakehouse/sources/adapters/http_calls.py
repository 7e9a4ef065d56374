"""Calls with httpx, for the vendors that ccxt does not know."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from lakehouse.settings import Provider
from lakehouse.sources.adapters.base import Adapter, Answer, without_login
from lakehouse.sources.adapters.statuses import as_of, problem_of
from lakehouse.sources.pacing import Pause
from lakehouse.sources.problems import Malformed, Unavailable

if TYPE_CHECKING:
    import httpx


class HttpAdapter(Adapter):
    """A vendor with a plain REST API. httpx's client is thread-safe: all share one."""

    def __init__(self, provider: Provider, base_url: str) -> None:
        super().__init__(provider, base_url)
        self._client: httpx.Client | None = None
        self._lock = threading.Lock()

    def call(
        self,
        pause: Pause,
        path: str,
        parameters: Mapping[str, str],
        *,
        secrets: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[Any, Answer]:
        """The payload of one call, and an Answer that still lacks its rows.

        `secrets` are parameters that are sent and never shown. Raises Problem.
        """
        self.limiter.wait(self.seconds_apart(0), pause)
        url = self.base_url + path
        sent_at = datetime.now(UTC)
        response = self._get(url, {**parameters, **(secrets or {})}, headers or {})
        payload = _parsed(response.text)
        problem = problem_of(response.status_code, self.message(payload), response.headers)
        if problem:
            raise problem
        if payload is None:
            raise Malformed("the answer is not JSON")
        shown = f"{without_login(url)}?{urlencode(parameters)}"
        return payload, Answer([], shown, as_of(sent_at, response.headers))

    def message(self, payload: Any) -> str:
        """What an error's payload says."""
        return str(payload.get("message", payload)) if isinstance(payload, dict) else "no reason"

    @classmethod
    def warm_up(cls) -> None:
        import_module("httpx")

    def close(self) -> None:
        with self._lock:
            if self._client:
                self._client.close()
            self._client = None

    def _get(
        self, url: str, parameters: Mapping[str, str], headers: Mapping[str, str]
    ) -> httpx.Response:
        import httpx  # slow to import, and not needed until someone calls

        try:
            return self._opened().get(url, params=parameters, headers=headers)
        except httpx.TimeoutException:
            raise Unavailable(f"no answer within {self.provider.timeout_seconds} s") from None
        except httpx.HTTPError as error:
            raise Unavailable(str(error) or type(error).__name__) from None

    def _opened(self) -> httpx.Client:
        import httpx

        with self._lock:
            if self._client is None:
                logging.getLogger("httpx").addFilter(_without_urls)
                timeout = self.provider.timeout_seconds
                self._client = httpx.Client(timeout=timeout, trust_env=not self.is_on_loopback)
            return self._client


def _without_urls(record: logging.LogRecord) -> bool:
    """httpx logs each URL it asks for, and with it any key that stands there: not that line."""
    return "HTTP Request" not in str(record.msg)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
