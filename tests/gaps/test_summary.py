from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime

import pytest

from lakehouse.errors import InvalidWindow, UnknownAsset, UnknownTimeframe
from lakehouse.gaps import Scope, Summary, make_scope, summarise
from lakehouse.settings import Settings

from .ledgers import CLASSES, at, write_ledger

BEST_FIRST = ("#", "t", "d", "r", "o", "n", " ")
COUNTS = ("no_trade", "rejected", "outage", "not_fetched", "delisted")
NOON = at(12)


def the_summary(settings: Settings, **scope: object) -> Summary:
    (summary,) = summarise(settings, Scope(**{"now": NOON, **scope}))
    return summary


def counts(summary: Summary) -> dict[str, int]:
    return {name: count for name in COUNTS if (count := getattr(summary, name))}


def runs(summary: Summary) -> list[tuple[int, int, str, str]]:
    """First hour, hour after the last, class and provider of each gap."""
    return [
        (
            (gap.start - at(0)) // (at(1) - at(0)),
            (gap.end - at(0)) // (at(1) - at(0)),
            gap.gap_class,
            gap.provider,
        )
        for gap in summary.gaps
    ]


def test_a_candle_that_any_provider_has_is_present(settings: Settings) -> None:
    write_ledger(settings, "coinbase", "##oo##")
    write_ledger(settings, "kraken", "  ##")
    summary = the_summary(settings, end=at(6))
    assert (summary.expected, summary.present, summary.gaps) == (6, 6, [])
    assert summary.coverage_percent == 100


def test_of_a_candle_that_none_has_the_best_that_is_known_counts(settings: Settings) -> None:
    write_ledger(settings, "coinbase", "#ooonn#")
    write_ledger(settings, "kraken", "#tdron#")
    write_ledger(settings, "binance", "#rr    ")
    summary = the_summary(settings, end=at(7))
    assert runs(summary) == [
        (1, 2, "no_trade", "kraken"),
        (2, 3, "delisted", "kraken"),
        (3, 4, "rejected", "kraken"),
        (4, 5, "outage", "kraken"),
        (5, 6, "not_fetched", "coinbase"),
    ]


def test_no_trade_is_not_missing_and_delisted_is_not_expected(settings: Settings) -> None:
    write_ledger(settings, "coinbase", "ddd######to")
    summary = the_summary(settings, end=at(11))
    assert counts(summary) == {"no_trade": 1, "outage": 1, "delisted": 3}
    assert summary.coverage_percent == 87.5  # 7 of 8


def test_coverage_is_never_rounded_up_to_100(settings: Settings) -> None:
    summary = Summary("BTCUSD", "1m", at(0), at(1), 25_000, [])
    assert summary.coverage_percent == 100
    write_ledger(settings, "coinbase", "#" * 24_999 + "o")
    summary = the_summary(settings, end=at(25_000))
    assert summary.coverage_percent == 99.99


def test_where_all_is_delisted_nothing_is_missing(settings: Settings) -> None:
    write_ledger(settings, "coinbase", "ddd")
    assert the_summary(settings, end=at(3)).coverage_percent == 100


def test_a_day_that_nobody_asked_for_yet_is_not_fetched(settings: Settings) -> None:
    write_ledger(settings, "coinbase", "###")
    today = datetime(2026, 1, 7, 9, 30, tzinfo=UTC)
    summary = the_summary(settings, now=today)
    assert runs(summary) == [(3, 48, "not_fetched", "coinbase")]
    assert (summary.start, summary.end) == (at(0), at(48))


def test_what_is_known_of_today_counts_up_to_the_last_time_known(settings: Settings) -> None:
    write_ledger(settings, "coinbase", "#" * 30 + "o")
    assert the_summary(settings, now=at(35)).end == at(31)


def test_from_and_to_narrow_the_range_and_cut_gaps(settings: Settings) -> None:
    write_ledger(settings, "coinbase", "##oooo##")
    summary = the_summary(settings, start=at(3), end=at(5))
    assert (summary.expected, summary.present) == (2, 0)
    assert runs(summary) == [(3, 5, "outage", "coinbase")]
    assert summary.gaps[0].candles == 2


def test_a_range_in_which_nothing_is_expected_has_no_summary(settings: Settings) -> None:
    write_ledger(settings, "coinbase", "###")
    assert summarise(settings, Scope(start=at(100), now=NOON)) == []


def test_only_the_named_providers_assets_and_timeframes_count(settings: Settings) -> None:
    write_ledger(settings, "coinbase", "##oo")
    write_ledger(settings, "kraken", "####")
    write_ledger(settings, "kraken", "#o##", asset_pair="ETHUSD")
    scope = Scope(assets=("BTCUSD",), timeframes=("1h",), end=at(4), now=NOON)
    assert [s.coverage_percent for s in summarise(settings, scope, ["coinbase"])] == [50]
    assert [s.coverage_percent for s in summarise(settings, scope)] == [100]
    everything = summarise(settings, Scope(end=at(4), now=NOON))
    assert [s.asset_pair for s in everything] == ["BTCUSD", "ETHUSD"]
    assert summarise(settings, Scope(timeframes=("5m",), now=NOON)) == []


def test_hours_when_the_market_is_closed_are_not_expected(settings: Settings) -> None:
    # From Monday to Monday of a pair that is traded on weekdays only.
    write_ledger(settings, "oanda", "#" * 7 * 24, asset_pair="EURUSD")
    summary = the_summary(settings, now=at(7 * 24))
    assert summary.expected == summary.present == 5 * 24


def test_a_gap_across_a_weekend_is_one(settings: Settings) -> None:
    friday = 4 * 24 + 23
    write_ledger(settings, "oanda", "#" * friday, asset_pair="EURUSD")
    summary = the_summary(settings, now=at(7 * 24 + 3), end=at(7 * 24 + 2))
    assert summary.end == at(5 * 24), "the week ends at midnight after Friday"
    assert runs(summary) == [(friday, 5 * 24, "not_fetched", "oanda")]


@pytest.mark.parametrize("seed", range(20))
def test_agrees_with_a_count_candle_by_candle(settings: Settings, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret
    hours = 30
    said = {
        name: history(chance, hours) for name in ("coinbase", "binance", "kraken")[: seed % 3 + 1]
    }
    for provider, letters in said.items():
        write_ledger(settings, provider, letters)
    start, end = sorted((chance.randrange(hours), chance.randrange(hours)))
    summary = the_summary(settings, start=at(start), end=at(end + 1), now=at(48))
    first = min(len(letters) - len(letters.lstrip()) for letters in said.values())
    within = range(max(start, first), end + 1)
    best = [min((said[p][hour] for p in said), key=BEST_FIRST.index) for hour in within]
    expected = Counter(
        CLASSES[letter if letter != " " else "n"] for letter in best if letter != "#"
    )
    assert counts(summary) == expected
    assert summary.present == best.count("#")


def history(chance: random.Random, hours: int) -> str:
    """Runs of random length; never asked for some time before and after."""
    before, after = chance.randrange(5), chance.randrange(5)
    known = ""
    while len(known) < hours - before - after:
        known += chance.choice("##notrd") * chance.randrange(1, 6)
    return " " * before + known[: hours - before - after] + " " * after


def test_a_scope_is_checked(settings: Settings) -> None:
    with pytest.raises(UnknownAsset):
        make_scope(settings, assets=["NOPE"])
    with pytest.raises(UnknownTimeframe):
        make_scope(settings, timeframes=["7m"])
    with pytest.raises(InvalidWindow, match="before it starts"):
        make_scope(settings, start=at(2), end=at(1))
