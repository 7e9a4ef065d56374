from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from lakehouse.errors import (
    BadAnswer,
    FetchCancelled,
    RateLimited,
    RequestRefused,
    SourceError,
    SourceUnavailable,
)
from lakehouse.settings import Provider
from lakehouse.simulated import RunningExchange
from lakehouse.sources.adapters.statuses import problem_of, retry_after
from lakehouse.sources.pacing import RateLimiter, attempts_at, pause_until
from lakehouse.sources.problems import Limited, Malformed, Problem, Refused, Unavailable

from .conftest import Ask, MakeSources

DIALECTS = ("binance", "coinbase", "kraken", "alpha_vantage", "oanda")
FAULTS = ("server_errors", "rate_limits", "malformed_json")
PATIENT = Provider(dialect="binance", attempts=4, backoff_seconds=1)


def failing(*problems: Problem) -> Callable[[], None]:
    """A call that meets these problems, one after another, and then succeeds."""
    left = list(problems)

    def call() -> None:
        if left:
            raise left.pop(0)

    return call


def test_waits_longer_before_each_attempt_with_jitter() -> None:
    waits: list[float] = []
    attempts_at(failing(*[Unavailable("")] * 3), PATIENT, waits.append)
    assert [1 <= waits[0] <= 2, 2 <= waits[1] <= 3, 4 <= waits[2] <= 5] == [True] * 3
    assert len(set(waits)) == 3


def test_waits_as_long_as_the_source_asks() -> None:
    waits: list[float] = []
    attempts_at(failing(Limited("", 17.0), Limited("", 0.0)), PATIENT, waits.append)
    assert waits[0] == 17
    assert 2 <= waits[1] <= 3


def test_does_not_wait_for_a_source_that_asks_for_hours() -> None:
    waits: list[float] = []
    with pytest.raises(Limited):
        attempts_at(failing(Limited("", 86_400.0)), PATIENT, waits.append)
    assert waits == []


def test_gives_up_after_the_last_attempt() -> None:
    waits: list[float] = []
    with pytest.raises(Malformed) as caught:
        attempts_at(failing(*[Malformed("")] * 9), PATIENT, waits.append)
    assert (len(waits), caught.value.attempts) == (3, 4)


def test_does_not_ask_again_after_a_refusal() -> None:
    waits: list[float] = []
    with pytest.raises(Refused):
        attempts_at(failing(Refused("")), PATIENT, waits.append)
    assert waits == []


def test_a_pause_ends_when_the_fetch_is_cancelled() -> None:
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(FetchCancelled, match="BTCUSD 1m"):
        pause_until(cancelled, "BTCUSD 1m")(3600)


def test_calls_to_a_provider_are_spaced_whichever_thread_makes_them() -> None:
    limiter, waits = RateLimiter(), []
    for _ in range(3):
        limiter.wait(100, waits.append)
    assert [round(wait, -1) for wait in waits] == [100, 200]


STATUSES = {
    Unavailable: (500, 502, 503, 408),
    Limited: (429, 418),
    Refused: (400, 401, 404, 451),
}


@pytest.mark.parametrize(
    ("status", "kind"),
    [(status, kind) for kind, statuses in STATUSES.items() for status in statuses],
)
def test_a_status_says_whether_another_attempt_may_help(status: int, kind: type[Problem]) -> None:
    assert type(problem_of(status, "", {})) is kind


def test_success_is_no_problem() -> None:
    assert problem_of(200, "", {}) is None


def test_retry_after_is_a_count_or_a_date() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    assert retry_after({"Retry-After": "7"}) == 7
    assert 60 < (retry_after({"Retry-After": later}) or 0) <= 90
    assert retry_after({"Retry-After": "soon"}) is None
    assert retry_after({}) is None


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("fault", FAULTS)
def test_three_attempts_get_through_a_fault_that_passes(
    exchange: RunningExchange, make_sources: MakeSources, ask: Ask, dialect: str, fault: str
) -> None:
    exchange.change(**{fault: 0.99})
    fetched = make_sources(attempts=3).fetch(dialect, ask("1m"))
    assert (fetched.provider, fetched.failures) == (dialect, [])
    assert len(fetched.candles) == 60
    assert fetched.calls == exchange.calls == 3


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("fault", "error"),
    list(zip(FAULTS, (SourceUnavailable, RateLimited, BadAnswer), strict=True)),
)
def test_a_fault_that_stays_is_named_after_three_attempts(
    exchange: RunningExchange,
    make_sources: MakeSources,
    ask: Ask,
    dialect: str,
    fault: str,
    error: type[SourceError],
) -> None:
    exchange.change(**{fault: 1})
    sources = make_sources({"simulated": exchange.base_url(dialect)}, dialect=dialect)
    with pytest.raises(error, match="simulated"):
        sources.fetch("simulated", ask("1h"))
    assert exchange.calls == 3


def test_a_server_error_is_told_in_the_servers_words(
    exchange: RunningExchange, make_sources: MakeSources, ask: Ask
) -> None:
    exchange.change(server_errors=1)
    with pytest.raises(SourceUnavailable) as caught:
        make_sources().fetch("simulated", ask("1h"))
    assert "An unknown error occurred while processing the request" in str(caught.value)
    assert "http://" not in str(caught.value)


@pytest.mark.parametrize("dialect", ["binance", "oanda"])
def test_an_answer_that_takes_too_long_is_no_answer(
    exchange: RunningExchange, make_sources: MakeSources, ask: Ask, dialect: str
) -> None:
    exchange.change(slow_answers=1, slow_seconds=0.5)
    urls = {"simulated": exchange.base_url(dialect)}
    sources = make_sources(urls, dialect=dialect, timeout_seconds=0.05, attempts=2)
    with pytest.raises(SourceUnavailable, match="after 2 attempts: no answer"):
        sources.fetch("simulated", ask("1h"))


@pytest.mark.parametrize("dialect", ["binance", "coinbase", "kraken", "oanda"])
def test_a_server_that_is_not_there_is_no_answer(
    make_sources: MakeSources, ask: Ask, dialect: str
) -> None:
    urls = {"simulated": f"http://127.0.0.1:9/{dialect}"}
    with pytest.raises(SourceUnavailable, match="after 3 attempts"):
        make_sources(urls, dialect=dialect).fetch("simulated", ask("1h"))


def test_a_page_that_is_not_there_is_a_refusal(
    exchange: RunningExchange, make_sources: MakeSources, ask: Ask
) -> None:
    with pytest.raises(RequestRefused):
        make_sources({"simulated": f"{exchange.url}/nowhere"}).fetch("simulated", ask("1h"))
    sources = make_sources({"simulated": f"{exchange.url}/nowhere"}, dialect="oanda")
    with pytest.raises(RequestRefused):
        sources.fetch("simulated", ask("1h"))


def test_a_cancelled_fetch_ends_before_its_next_page(
    exchange: RunningExchange, make_sources: MakeSources, ask: Ask
) -> None:
    cancelled = threading.Event()
    with pytest.raises(FetchCancelled):
        make_sources().fetch(
            "binance", ask("1m", timedelta(days=2)), lambda _: cancelled.set(), cancelled
        )
    assert exchange.calls == 1
