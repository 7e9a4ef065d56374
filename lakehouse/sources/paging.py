"""One provider, one request: page by page, attempt by attempt, closed candles only."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import structlog

from lakehouse.errors import BadAnswer, RateLimited, SourceUnavailable
from lakehouse.sources.adapters import Adapter
from lakehouse.sources.adapters.base import Answer, Figures, Page
from lakehouse.sources.breaker import CircuitBreaker
from lakehouse.sources.candles import CandleRequest, RawCandle
from lakehouse.sources.pacing import Pause, attempts_at, pause_until
from lakehouse.sources.problems import Problem, explained
from lakehouse.timeframes import step

FAILURES = (SourceUnavailable, RateLimited, BadAnswer)
log = structlog.get_logger(__name__)

OnPage = Callable[[int], None]


@dataclass(slots=True)
class Paging:
    """A provider being asked for `request`; `calls` counts every attempt."""

    name: str
    adapter: Adapter
    breaker: CircuitBreaker
    symbol: str
    request: CandleRequest
    cancelled: threading.Event | None = None
    calls: int = 0
    _pause: Pause = field(init=False)

    def __post_init__(self) -> None:
        self._pause = pause_until(self.cancelled, self.request.subject)

    def candles(self, on_page: OnPage | None) -> list[RawCandle]:
        """All closed candles of the request. Raises SourceError."""
        found: list[RawCandle] = []
        for page in self.adapter.pages(self.request):
            self._pause(0)
            kept = list(self._kept(page, self._answer(page)))
            found += kept
            if on_page:
                on_page(len(kept))
        return found

    def _answer(self, page: Page) -> Answer:
        answers: list[Answer] = []

        def attempt() -> None:
            self.calls += 1
            answers.append(self.adapter.ask(self.symbol, page, self._pause))

        with self.breaker.guard(*FAILURES):
            try:
                attempts_at(attempt, self.adapter.provider, self._pause)
            except Problem as problem:
                error = explained(
                    problem, self.name, self.request, problem.attempts, self.adapter.secrets
                )
                log.warning("source.failed", provider=self.name, error=str(error))
                raise error from None
        return answers[0]

    def _kept(self, page: Page, answer: Answer) -> Iterator[RawCandle]:
        """The closed candles of the page, and rows without a time: the gate names those."""
        length = step(page.timeframe)
        for row in answer.rows:
            figures = self.adapter.read(row)
            opened_at = figures.timestamp
            if opened_at is not None:
                is_asked = page.start <= opened_at < page.end
                is_closed = figures.is_closed and opened_at + length <= answer.as_of
                if not (is_asked and is_closed):
                    continue
            yield _raw(figures, row, answer.source)


def _raw(figures: Figures, row: Any, source: str) -> RawCandle:
    return RawCandle(
        figures.timestamp,
        figures.open,
        figures.high,
        figures.low,
        figures.close,
        figures.volume,
        json.dumps(row, separators=(",", ":"), ensure_ascii=False),
        source,
    )
