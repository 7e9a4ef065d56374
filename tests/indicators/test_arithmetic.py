"""The arithmetic against the books, against figures worked out by hand, and against itself."""

from __future__ import annotations

import math

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.indicators import INDICATORS, LOOKBACK, technical_indicators

from .by_the_book import by_the_book, regimes
from .candles import closes, in_steps, quotes

IN_PRICE = {
    *("sma_20", "ema_12", "ema_26", "macd", "macd_signal", "macd_histogram", "atr_14"),
    *("bollinger_upper", "bollinger_middle", "bollinger_lower"),
}
# Wilder's RSI on closes that textbooks repeat; the first three readings are printed with them.
TEXTBOOK = [
    *(44.3389, 44.0902, 44.1497, 43.6124, 44.3278, 44.8264, 45.0955, 45.4245, 45.8433),
    *(46.0826, 45.8931, 46.0328, 45.6140, 46.2820, 46.2820, 46.0028, 46.0328),
]


def last(frame: pl.DataFrame) -> dict[str, object]:
    return technical_indicators(frame).row(-1, named=True)


@pytest.mark.parametrize("price", [0.0001, 120.0, 60_000.0])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_agrees_with_an_independent_implementation(seed: int, price: float) -> None:
    frame = quotes(900, seed=seed, price=price)
    found = technical_indicators(frame)
    book = by_the_book(*(frame[name].to_list() for name in ("high", "low", "close", "volume")))
    for name, expected in book.items():
        # What is a difference of prices is as exact as they are.
        slack = 1e-9 * price if name in IN_PRICE else 1e-9
        wanted = pl.Series(expected, dtype=pl.Float64)
        assert found[name].is_null().equals(wanted.is_null()), name
        figures = found[name].drop_nulls().to_list()
        assert figures == pytest.approx(wanted.drop_nulls().to_list(), rel=1e-9, abs=slack), name


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_names_the_same_regimes_as_the_rule_written_out(seed: int) -> None:
    found = technical_indicators(quotes(900, seed=seed))
    expected = regimes(found["natr_14"].to_list(), found["adx_14"].to_list())
    assert found["market_regime"].to_list() == expected
    assert set(expected) == {None, "trend", "range", "volatile"}


def test_marks_where_a_regime_starts() -> None:
    found = technical_indicators(quotes(900))
    named = found["market_regime"].to_list()
    starts = [b is not None and b != a for a, b in zip([None, *named], named, strict=False)]
    assert found["is_regime_start"].to_list() == starts


def test_marks_where_the_macd_crosses_its_signal() -> None:
    found = technical_indicators(quotes(900))
    figures = found["macd_histogram"].to_list()
    crosses = [cross(a, b) for a, b in zip([None, *figures], figures, strict=False)]
    assert found["macd_cross"].to_list() == crosses
    assert set(crosses) == {None, "up", "down"}


def cross(before: float | None, now: float | None) -> str | None:
    if before is None or now is None:
        return None
    if before <= 0 < now:
        return "up"
    return "down" if now < 0 <= before else None


def test_a_straight_line_gives_the_figures_worked_out_by_hand() -> None:
    # Closes 1, 2, 3, …: an average over n lags (n - 1) / 2 behind, the true range is always 2.
    found = last(closes([float(day) for day in range(1, 201)]))
    expected = {
        **{"sma_20": 190.5, "ema_12": 194.5, "ema_26": 187.5},
        **{"macd": 7.0, "macd_signal": 7.0, "macd_histogram": 0.0},
        **{"bollinger_middle": 190.5, "bollinger_upper": 190.5 + math.sqrt(399 / 3)},
        **{"bollinger_lower": 190.5 - math.sqrt(399 / 3), "rsi_14": 100.0},
        **{"atr_14": 2.0, "natr_14": 0.01, "plus_di_14": 50.0, "minus_di_14": 0.0, "adx_14": 100.0},
        **{"volume_ratio": 1.0, "volume_change": 0.0, "log_return": math.log(200 / 199)},
        **{"market_regime": "trend", "is_regime_start": False},
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-12)


def test_the_rsi_of_the_textbook_comes_out() -> None:
    found = technical_indicators(closes(TEXTBOOK))["rsi_14"].to_list()
    assert found[:14] == [None] * 14
    assert found[14:] == pytest.approx([70.53, 66.32, 66.55], abs=0.005)


def test_a_value_exists_from_where_its_window_is_full() -> None:
    found = technical_indicators(quotes(200))
    first = {name: found[name].null_count() for name in INDICATORS}
    expected = {
        **{"volume_change": 1, "log_return": 1, "ema_12": 11, "sma_20": 19, "ema_26": 25},
        **{"volume_ratio": 19, "macd": 25, "macd_signal": 33, "macd_histogram": 33},
        **{"bollinger_upper": 19, "bollinger_middle": 19, "bollinger_lower": 19, "rsi_14": 14},
        **{"atr_14": 14, "plus_di_14": 14, "minus_di_14": 14, "adx_14": 27, "market_regime": 113},
    }
    frozen = found["volume_change"].is_null()[1:].sum()  # the volume before was 0
    assert {name: first[name] for name in expected} == expected | {"volume_change": 1 + frozen}


@pytest.mark.parametrize("price", [0.0001, 0.1, 3.3, 60_000.0])
def test_a_price_that_never_moves_has_no_spread_no_trend_and_a_neutral_rsi(price: float) -> None:
    found = last(closes([price] * 300, spread=0.0))
    expected = dict.fromkeys(("macd", "macd_histogram", "atr_14", "natr_14", "adx_14"), 0.0)
    bands = dict.fromkeys(("bollinger_upper", "bollinger_middle", "bollinger_lower"), price)
    expected |= bands | {"rsi_14": 50.0, "plus_di_14": 0.0, "market_regime": "range"}
    assert {name: found[name] for name in expected} == expected


def test_without_a_gain_the_rsi_is_zero() -> None:
    assert last(closes([300.0 - day for day in range(200)]))["rsi_14"] == 0.0


def test_without_any_volume_there_is_no_ratio_and_no_change() -> None:
    found = last(closes([float(day) for day in range(1, 41)], volume=0.0))
    assert (found["volume_ratio"], found["volume_change"]) == (None, None)


def test_a_burst_is_volatile_whatever_its_direction() -> None:
    calm = [100 + math.sin(day / 3) / 10 for day in range(200)]
    burst = [100 + 5.0 * (step + 1) for step in range(10)]
    found = technical_indicators(closes(calm + burst, spread=0.1))
    regimes_of_the_burst = found["market_regime"].tail(5).to_list()
    assert regimes_of_the_burst == ["volatile"] * 5
    assert found["adx_14"][-1] > 25


@pytest.mark.parametrize("price", [0.0001, 120.0])
def test_day_by_day_gives_exactly_what_all_at_once_gives(price: float) -> None:
    frame = quotes(300, price=price)
    daily = in_steps(frame, list(range(1, len(frame) + 1)), LOOKBACK)
    assert daily.equals(technical_indicators(frame))


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 1000),
    ends=st.lists(st.integers(1, 399), max_size=6, unique=True).map(sorted),
    price=st.sampled_from([0.0001, 1.0, 60_000.0]),
)
def test_any_way_to_split_a_series_gives_the_same(seed: int, ends: list[int], price: float) -> None:
    frame = quotes(400, seed=seed, price=price)
    assert in_steps(frame, [*ends, 400], LOOKBACK).equals(technical_indicators(frame))


@pytest.mark.parametrize("length", [0, 1, 2, 19])
def test_a_short_series_has_a_row_for_every_candle(length: int) -> None:
    assert technical_indicators(quotes(length)).height == length
