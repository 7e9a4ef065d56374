from __future__ import annotations

import pytest

from lakehouse.errors import CircuitOpen
from lakehouse.sources import CircuitBreaker


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class Broken(Exception):
    pass


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker("binance", break_after_failures=3, break_seconds=30, clock=clock)


def fail(breaker: CircuitBreaker, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(Broken), breaker.guard(Broken):
            raise Broken


def test_stays_closed_while_failures_are_fewer(breaker: CircuitBreaker) -> None:
    fail(breaker, times=2)
    assert (breaker.state.state, breaker.state.failures) == ("closed", 2)


def test_a_success_forgets_the_failures_before(breaker: CircuitBreaker) -> None:
    fail(breaker, times=2)
    with breaker.guard(Broken):
        pass
    fail(breaker, times=2)
    assert breaker.state.state == "closed"


def test_opens_after_as_many_failures_in_a_row(breaker: CircuitBreaker) -> None:
    fail(breaker, times=3)
    assert breaker.state.state == "open"
    assert breaker.state.open_until is not None
    with pytest.raises(CircuitOpen, match="binance failed 3 times"), breaker.guard(Broken):
        pytest.fail("the call went through")


def test_lets_one_call_try_when_the_time_is_over(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker, times=3)
    clock.seconds += 30
    assert breaker.state.state == "half-open"
    with breaker.guard(Broken), pytest.raises(CircuitOpen), breaker.guard(Broken):
        pytest.fail("a second call went through")
    assert breaker.state.state == "closed"
    assert breaker.state.failures == 0


def test_opens_again_when_the_trial_fails(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker, times=3)
    clock.seconds += 30
    fail(breaker)
    assert breaker.state.state == "open"
    clock.seconds += 29
    assert breaker.state.state == "open"
    clock.seconds += 1
    assert breaker.state.state == "half-open"


def test_a_trial_that_was_stopped_leaves_the_turn_to_the_next(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    fail(breaker, times=3)
    clock.seconds += 30
    with pytest.raises(KeyboardInterrupt), breaker.guard(Broken):
        raise KeyboardInterrupt
    with breaker.guard(Broken):
        pass
    assert breaker.state.state == "closed"


def test_other_errors_say_nothing_of_the_providers_health(breaker: CircuitBreaker) -> None:
    for _ in range(5):
        with pytest.raises(ValueError, match="ours"), breaker.guard(Broken):
            raise ValueError("ours")
    assert breaker.state.failures == 0
