"""A circuit breaker: after several failures in a row a provider is left alone for a while.

closed ──failures──► open ──time──► half-open ──one call succeeds──► closed
                      ▲                 └──────one call fails──────► open
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from lakehouse.errors import CircuitOpen

State = Literal["closed", "open", "half-open"]


@dataclass(frozen=True, slots=True)
class BreakerState:
    """A provider's breaker as it is now. `open_until` is set while it is open."""

    provider: str
    state: State
    failures: int
    open_until: datetime | None


class CircuitBreaker:
    """Thread-safe. `clock` gives seconds that never go back."""

    def __init__(
        self,
        provider: str,
        break_after_failures: int,
        break_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.provider = provider
        self._break_after = break_after_failures
        self._break_seconds = break_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._opened_at: float | None = None
        self._is_probed = False

    @property
    def state(self) -> BreakerState:
        with self._lock:
            return self._state()

    @contextmanager
    def guard(self, *failures: type[Exception]) -> Iterator[None]:
        """Let one call through and learn from it; `failures` are the errors that count as such.

        Any other exception says nothing of the provider's health. Raises CircuitOpen.
        """
        is_probe = self._admit()
        try:
            yield
        except failures:
            self._record_failure()
            raise
        except BaseException:
            if is_probe:
                self._give_back_probe()
            raise
        self.record_success()

    def record_success(self) -> None:
        """The provider answered, be it with a refusal."""
        with self._lock:
            self._failures, self._opened_at, self._is_probed = 0, None, False

    def _admit(self) -> bool:
        """Whether this call is the one that tries a half-open circuit. Raises CircuitOpen."""
        with self._lock:
            state = self._state()
            if state.state == "closed":
                return False
            if state.state == "half-open" and not self._is_probed:
                self._is_probed = True
                return True
            until = state.open_until or "another call has tried it"
            raise CircuitOpen(provider=self.provider, failures=self._failures, until=until)

    def _record_failure(self) -> None:
        with self._lock:
            self._failures += 1
            if self._is_probed or self._failures >= self._break_after:
                self._opened_at = self._clock()
            self._is_probed = False

    def _give_back_probe(self) -> None:
        with self._lock:
            self._is_probed = False

    def _state(self) -> BreakerState:
        if self._opened_at is None:
            return BreakerState(self.provider, "closed", self._failures, None)
        remaining = self._opened_at + self._break_seconds - self._clock()
        if remaining <= 0:
            return BreakerState(self.provider, "half-open", self._failures, None)
        until = (datetime.now(UTC) + timedelta(seconds=remaining)).replace(microsecond=0)
        return BreakerState(self.provider, "open", self._failures, until)
