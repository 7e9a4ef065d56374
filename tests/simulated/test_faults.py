from __future__ import annotations

from collections import Counter

import pytest
from pydantic import ValidationError

from lakehouse.simulated import Faults, Pair, corrupted
from lakehouse.simulated.corruption import KINDS, Row, corrupt, corruption_of
from lakehouse.simulated.faults import FaultPlan
from lakehouse.simulated.market import MINUTE_MS

from .conftest import known

TIMES = range(0, 20_000 * MINUTE_MS, MINUTE_MS)
SOME = Faults(corrupted_candles=0.02)


def test_as_many_candles_are_broken_as_asked_in_every_way(bitcoin: Pair) -> None:
    found = corrupted(SOME, bitcoin, MINUTE_MS, TIMES)
    assert 0.017 < len(found) / len(TIMES) < 0.023
    assert set(Counter(corruption.kind for corruption in found)) == set(KINDS)


def test_the_same_candles_are_broken_each_time(bitcoin: Pair) -> None:
    assert corrupted(SOME, bitcoin, MINUTE_MS, TIMES) == corrupted(SOME, bitcoin, MINUTE_MS, TIMES)
    assert corrupted(SOME, bitcoin, MINUTE_MS, TIMES[::2]) == [
        c for c in corrupted(SOME, bitcoin, MINUTE_MS, TIMES) if c.timestamp in TIMES[::2]
    ]


def test_others_are_broken_for_another_seed_pair_or_timeframe(bitcoin: Pair) -> None:
    first = corrupted(SOME, bitcoin, MINUTE_MS, TIMES)
    reseeded = SOME.model_copy(update={"seed": 8})
    assert corrupted(reseeded, bitcoin, MINUTE_MS, TIMES) != first
    assert corrupted(SOME, known("ETHUSD"), MINUTE_MS, TIMES) != first
    assert corrupted(SOME, bitcoin, 5 * MINUTE_MS, TIMES) != first


def test_faults_keep_to_the_symbols_they_are_for(bitcoin: Pair) -> None:
    faults = Faults(corrupted_candles=1, symbols=["ETHUSDT"])
    assert corrupted(faults, bitcoin, MINUTE_MS, TIMES[:9]) == []
    assert len(corrupted(faults, known("ETHUSD"), MINUTE_MS, TIMES[:9])) == 9


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_breaks_what_it_is_named_for(bitcoin: Pair, kind: str) -> None:
    everything = Faults(corrupted_candles=1)
    broken = next(
        c
        for t in TIMES
        if (c := corruption_of(everything, bitcoin, MINUTE_MS, t)) and c.kind == kind
    )
    row = Row(broken.timestamp, "10.50", "12.00", "9.25", "11.00", "3.5", 38.5, 7)
    served = corrupt(row, broken, decimals=2)
    assert breaks(kind, served, broken.timestamp)
    assert len(served) == (2 if kind == "duplicate" else 1)


def breaks(kind: str, served: list[Row], timestamp: int) -> bool:
    row = served[0]
    figures = [row.open, row.high, row.low, row.close, row.volume]
    match kind:
        case "null_field":
            return figures.count(None) == 1
        case "not_a_number":
            return sum(text in ("n/a", "NaN", "", "1,234.5") for text in figures) == 1
        case "misaligned":
            return timestamp < row.timestamp < timestamp + MINUTE_MS
        case "duplicate":
            return served[1].timestamp == timestamp and served[1].open != row.open
    open_, high, low, close, volume = (float(text or "nan") for text in figures)
    return {
        "high_below_low": high < low,
        "open_outside": not low <= open_ <= high,
        "close_outside": not low <= close <= high,
        "negative_volume": volume < 0,
        "price_zero": open_ == high == low == close == 0,
        "price_too_high": 1_000_000 < low <= open_ <= close <= high,
    }[kind]


def test_whole_answers_fail_as_often_as_asked() -> None:
    plan = FaultPlan(Faults(server_errors=0.1, slow_answers=0.1))
    played = Counter(plan.next(f"/{i}") for i in range(2000))
    assert 0.08 < played["server_errors"] / 2000 < 0.12
    assert 0.08 < played["slow_answers"] / 2000 < 0.12


def test_the_same_calls_meet_the_same_faults_in_whatever_order() -> None:
    urls = [f"/{i % 50}" for i in range(200)]
    one, other = FaultPlan(Faults(rate_limits=0.4)), FaultPlan(Faults(rate_limits=0.4))
    first = {(url, n): fault for url, n, fault in play(one, urls)}
    again = {(url, n): fault for url, n, fault in play(other, sorted(urls))}
    assert first == again
    assert len(set(first.values())) == 2


def play(plan: FaultPlan, urls: list[str]) -> list[tuple[str, int, object]]:
    seen: Counter[str] = Counter()
    played = []
    for url in urls:
        seen[url] += 1
        played.append((url, seen[url], plan.next(url)))
    return played


def test_a_third_attempt_gets_through_unless_all_is_to_fail() -> None:
    plan = FaultPlan(Faults(server_errors=0.99))
    faults = [[plan.next(f"/{i}") for _ in range(3)] for i in range(100)]
    assert all(None in attempts for attempts in faults)
    doomed = FaultPlan(Faults(server_errors=1))
    assert None not in [doomed.next("/") for _ in range(10)]


def test_wrong_faults_are_refused() -> None:
    with pytest.raises(ValidationError):
        Faults(server_errors=2)
    with pytest.raises(ValidationError):
        Faults(symbols=["???"])
    with pytest.raises(ValidationError):
        Faults(typo=1)
