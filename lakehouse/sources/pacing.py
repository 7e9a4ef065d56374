"""Waiting: between the calls to a provider, and between the attempts at one call."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt
from tenacity.wait import wait_exponential_jitter

from lakehouse.errors import FetchCancelled
from lakehouse.settings import Provider
from lakehouse.sources.problems import Limited, Problem

LONGEST_BACKOFF_SECONDS = 30.0
# A source that asks for more than this has sent us away; the next one is asked instead.
LONGEST_PATIENCE_SECONDS = 60.0

Pause = Callable[[float], None]


def pause_until(cancelled: threading.Event | None, subject: str) -> Pause:
    """A sleep that ends early, with FetchCancelled, once `cancelled` is set."""
    event = cancelled or threading.Event()

    def pause(seconds: float) -> None:
        if event.wait(seconds):
            raise FetchCancelled(subject=subject)

    return pause


class RateLimiter:
    """Calls to one provider, at least so many seconds apart, whichever thread makes them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next = 0.0

    def wait(self, seconds_apart: float, pause: Pause) -> None:
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + seconds_apart
        if turn > now:
            pause(turn - now)


def attempts_at(call: Callable[[], None], provider: Provider, pause: Pause) -> None:
    """Call until it succeeds, as often as the settings allow. Raises Problem, with `attempts`."""
    retrying = Retrying(
        stop=stop_after_attempt(provider.attempts),
        wait=_Wait(provider.backoff_seconds),
        retry=retry_if_exception(_may_pass),
        sleep=pause,
        reraise=True,
    )
    try:
        retrying(call)
    except Problem as problem:
        problem.attempts = int(retrying.statistics["attempt_number"])
        raise


def _may_pass(error: BaseException) -> bool:
    if isinstance(error, Limited) and (error.seconds or 0) > LONGEST_PATIENCE_SECONDS:
        return False
    return isinstance(error, Problem) and error.may_pass


class _Wait(wait_exponential_jitter):
    """Exponential with jitter, or as long as the source asks for."""

    def __init__(self, backoff: float) -> None:
        super().__init__(multiplier=backoff, max=LONGEST_BACKOFF_SECONDS, jitter=backoff)

    def __call__(self, retry_state: RetryCallState) -> float:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        asked = error.seconds if isinstance(error, Limited) else None
        return max(super().__call__(retry_state), asked or 0)
