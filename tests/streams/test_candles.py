"""Candles of trades: whichever way they come in parts, they are those of the whole."""

from __future__ import annotations

import math
from datetime import timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.streams.candles import candles_of, joined, with_figures, with_flat_candles
from tests.streams.brute_force import candles_by_hand
from tests.streams.conftest import START

TRADE = st.tuples(
    st.sampled_from(["AAPL", "BINANCE:BTCUSDT"]),
    st.integers(0, 300_000),
    st.floats(59_999.0, 60_001.0),
    st.floats(1e-6, 10.0),
    st.booleans(),
)


def frame(trades: list[tuple[str, int, float, float, bool]]) -> pl.DataFrame:
    rows = [
        (symbol, START + timedelta(milliseconds=millis), price, volume, is_outlier, offset)
        for offset, (symbol, millis, price, volume, is_outlier) in enumerate(trades)
    ]
    names = ["symbol", "timestamp", "price", "volume", "is_outlier", "offset"]
    return pl.DataFrame(rows, schema=names, orient="row")


@settings(max_examples=60, deadline=None)
@given(st.lists(TRADE, min_size=1, max_size=60), st.integers(0, 59), st.randoms())
def test_parts_in_any_order_join_to_the_candles_of_the_whole(trades, cut, chance) -> None:  # type: ignore[no-untyped-def]
    whole = frame(trades)
    parts = [part for part in (whole[:cut], whole[cut:]) if len(part)]
    chance.shuffle(parts)
    candles = candles_of(parts[0])
    for part in parts[1:]:
        candles = joined(candles, candles_of(part))
    assert candles_by_hand(whole, with_figures(candles)) == []


def test_the_spread_of_nearly_equal_prices_keeps_its_digits() -> None:
    prices = [60_000 + n * 1e-6 for n in range(100)]
    trades = frame([("AAPL", n, price, 1.0, False) for n, price in enumerate(prices)])
    joint = candles_of(trades[:50])
    joint = with_figures(joined(joint, candles_of(trades[50:])))
    expected = trades["price"].std()
    # A sum of squares would have none left: 60,000 squared takes all sixteen.
    assert math.isclose(joint["volatility"][0], expected, rel_tol=1e-5)


def test_flat_candles_fill_a_silence_but_not_a_closed_market() -> None:
    trades = frame([("AAPL", 0, 60_000.0, 1.0, False), ("AAPL", 180_000, 60_001.0, 1.0, False)])
    filled = with_flat_candles(candles_of(trades), timedelta(days=1)).sort("window_start")
    assert filled["close"].to_list() == [60_000.0, 60_000.0, 60_000.0, 60_001.0]
    assert filled["is_imputed"].to_list() == [False, True, True, False]
    assert len(with_flat_candles(candles_of(trades), timedelta(minutes=2))) == 2
