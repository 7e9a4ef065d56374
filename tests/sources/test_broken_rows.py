"""Rows that the exchange breaks on purpose arrive as they are: it is the gate that judges them."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import pairwise

import pytest

from lakehouse.simulated import RunningExchange, corrupted, pair_of
from lakehouse.simulated.market import MINUTE_MS
from lakehouse.sources import Sources
from lakehouse.sources.adapters.base import milliseconds

from .conftest import Ask

REAL = ("binance", "coinbase", "kraken", "alpha_vantage", "oanda")


@pytest.mark.parametrize("provider", REAL)
def test_every_candle_arrives_however_broken(
    exchange: RunningExchange, sources: Sources, ask: Ask, provider: str
) -> None:
    exchange.change(corrupted_candles=1)
    request = ask("1m", timedelta(hours=6))
    candles = sources.fetch(provider, request).candles
    bitcoin = pair_of("BTCUSD")
    assert bitcoin
    times = range(milliseconds(request.start), exchange.exchange.now_ms(), MINUTE_MS)
    broken = corrupted(exchange.faults, bitcoin, MINUTE_MS, times)
    doubled = [c for c in broken if c.kind == "duplicate"] if provider != "alpha_vantage" else []
    assert doubled or provider == "alpha_vantage"
    assert len(candles) == 360 + len(doubled)


def test_a_repeated_time_with_other_values_is_kept(
    exchange: RunningExchange, sources: Sources, ask: Ask
) -> None:
    exchange.change(corrupted_candles=1)
    candles = sources.fetch("binance", ask("1m", timedelta(hours=2))).candles
    repeated = [(a, b) for a, b in pairwise(candles) if a.timestamp == b.timestamp]
    assert repeated
    assert all(a.open != b.open for a, b in repeated)


def test_what_does_not_parse_is_missing_and_stays_in_raw(
    exchange: RunningExchange, sources: Sources, ask: Ask
) -> None:
    exchange.change(corrupted_candles=1)
    candles = sources.fetch("binance", ask("1m", timedelta(hours=3))).candles
    missing = [json.loads(candle.raw)[4] for candle in candles if candle.close is None]
    assert None in missing
    assert {"n/a", "NaN", "", "1,234.5"} & set(missing)


def test_the_same_candles_are_broken_the_same_way_when_asked_again(
    exchange: RunningExchange, sources: Sources, ask: Ask
) -> None:
    exchange.change(corrupted_candles=0.1)
    first, again = (sources.fetch("kraken", ask("1m")).candles for _ in range(2))
    assert first == again
