"""The numbers of equal trades."""

from __future__ import annotations

from lakehouse.producers.occurrences import Occurrences


def test_equal_trades_are_counted_apart_from_others() -> None:
    occurrences = Occurrences()
    assert [occurrences.count(trade) for trade in (b"a", b"b", b"a", b"a")] == [0, 0, 1, 2]


def test_a_trade_is_remembered_for_at_least_a_generation() -> None:
    occurrences = Occurrences(generation=10)
    occurrences.count(b"a")
    for number in range(10):
        occurrences.count(b"%d" % number)
    assert occurrences.count(b"a") == 1


def test_what_is_remembered_is_bounded() -> None:
    occurrences = Occurrences(generation=10)
    for number in range(1000):
        occurrences.count(b"%d" % number)
    assert len(occurrences._young) + len(occurrences._old) <= 20
    assert occurrences.count(b"0") == 0
