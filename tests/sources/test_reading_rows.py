"""Each API's rows, in the shapes the real ones send, with figures of our own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from lakehouse.settings import load_settings
from lakehouse.sources.adapters import ADAPTERS
from lakehouse.sources.adapters.alpha_vantage import series
from lakehouse.sources.adapters.base import Adapter, Figures
from lakehouse.sources.problems import Limited, Malformed, Refused

NOON = datetime(2026, 3, 15, 12, tzinfo=UTC)
NOON_SECONDS = 1773576000
FIGURES = Figures(NOON, 10.5, 12.0, 9.25, 11.0, 3.5)


def adapter(dialect: str) -> Adapter:
    provider = load_settings().providers[dialect]
    return ADAPTERS[provider.dialect](provider, "http://127.0.0.1:1")


def test_reads_a_kline_of_twelve_fields() -> None:
    row = [NOON_SECONDS * 1000, "10.5", "12.0", "9.25", "11.0", "3.5", 1, "38.1", 7, "1", "2", "0"]
    assert adapter("binance").read(row) == FIGURES


def test_reads_a_coinbase_candle_whose_start_is_a_text_of_seconds() -> None:
    row = {
        "start": str(NOON_SECONDS),
        "low": "9.25",
        "high": "12.0",
        "open": "10.5",
        "close": "11.0",
        "volume": "3.5",
    }
    assert adapter("coinbase").read(row) == FIGURES


def test_reads_the_volume_of_kraken_behind_the_average_price() -> None:
    row = [NOON_SECONDS, "10.5", "12.0", "9.25", "11.0", "10.8", "3.5", 7]
    assert adapter("kraken").read(row) == FIGURES


def test_keeps_the_flat_candle_kraken_sends_for_a_minute_without_a_trade() -> None:
    row = [NOON_SECONDS, "11.0", "11.0", "11.0", "11.0", "0.0", "0.00000000", 0]
    assert adapter("kraken").read(row) == Figures(NOON, 11.0, 11.0, 11.0, 11.0, 0.0)


def test_reads_an_alpha_vantage_row_by_the_names_of_its_fields() -> None:
    fields = {
        "1. open": "10.5",
        "2. high": "12.0",
        "3. low": "9.25",
        "4. close": "11.0",
        "5. volume": 3.5,
    }
    assert adapter("alpha_vantage").read({"2026-03-15 12:00:00": fields}) == FIGURES


def test_reads_the_market_price_of_an_older_alpha_vantage_row() -> None:
    fields = {"1a. open (EUR)": "10.5", "1b. open (USD)": "11.6", "2a. high (EUR)": "12.0"}
    figures = adapter("alpha_vantage").read({"2026-03-15": fields})
    assert (figures.open, figures.high, figures.volume) == (10.5, 12.0, None)


def test_reads_an_oanda_candle_with_nanoseconds() -> None:
    row = {
        "complete": True,
        "volume": 132,
        "time": "2026-03-15T12:00:00.000000000Z",
        "mid": {"o": "10.5", "h": "12.0", "l": "9.25", "c": "11.0"},
    }
    assert adapter("oanda").read(row) == Figures(NOON, 10.5, 12.0, 9.25, 11.0, 132.0)


def test_an_oanda_candle_that_is_not_complete_is_open() -> None:
    row = {"complete": False, "time": "2026-03-15T12:00:00.000000000Z", "mid": {}}
    assert not adapter("oanda").read(row).is_closed


@pytest.mark.parametrize("dialect", sorted(set(ADAPTERS) - {"alpha_vantage"}))
@pytest.mark.parametrize("row", [None, 7, "text", [], {}, [None] * 12, {"mid": 3, "time": 5}])
def test_a_row_of_any_other_shape_reads_as_nothing(dialect: str, row: Any) -> None:
    figures = adapter(dialect).read(row)
    assert figures == Figures(is_closed=figures.is_closed)


@pytest.mark.parametrize("text", ["n/a", "NaN", "inf", "", "1,234.5", "1_000", None, True, [1]])
def test_a_field_that_is_no_number_is_missing(text: Any) -> None:
    row = [NOON_SECONDS * 1000, text, "12.0", "9.25", "11.0", "3.5"]
    assert adapter("binance").read(row) == Figures(NOON, None, 12.0, 9.25, 11.0, 3.5)


@pytest.mark.parametrize("time", [None, "yesterday", 1e300, "NaN", -(10**30)])
def test_a_time_that_is_none_is_missing(time: Any) -> None:
    assert adapter("binance").read([time, "1", "1", "1", "1", "1"]).timestamp is None


def test_a_four_hour_candle_of_coinbase_is_built_of_its_halves() -> None:
    rows = [two_hours(0, high="12", volume="1.25"), two_hours(7200, high="13", close="12.5")]
    assert adapter("coinbase").read(rows) == Figures(NOON, 10.5, 13.0, 9.25, 12.5, 3.25)


@pytest.mark.parametrize(
    "broken",
    [{"high": "1"}, {"close": None}, {"volume": "-1"}, {"start": "1773583201"}, {"low": "0"}],
)
def test_a_four_hour_candle_with_a_broken_half_says_nothing(broken: dict[str, Any]) -> None:
    rows = [two_hours(0), two_hours(7200) | broken]
    assert adapter("coinbase").read(rows) == Figures(NOON)


def test_a_four_hour_candle_with_a_half_told_twice_says_nothing() -> None:
    assert adapter("coinbase").read([two_hours(0), two_hours(0, high="13")]) == Figures(NOON)


def two_hours(
    after: int, high: str = "12", close: str = "11", volume: str = "2"
) -> dict[str, str | None]:
    start = str(NOON_SECONDS + after)
    return {
        "start": start,
        "low": "9.25",
        "high": high,
        "open": "10.5",
        "close": close,
        "volume": volume,
    }


def test_alpha_vantage_tells_a_wrong_call_with_status_200() -> None:
    with pytest.raises(Refused, match="Invalid API call"):
        series({"Error Message": "Invalid API call. Please retry or visit the documentation."})


def test_alpha_vantage_tells_a_missing_plan_with_status_200() -> None:
    text = "Thank you! This is a premium endpoint. It lifts all rate limits."
    with pytest.raises(Refused, match="premium"):
        series({"Information": text})


def test_a_limit_per_minute_passes_soon() -> None:
    text = "Our standard API call frequency is 5 calls per minute and 500 calls per day."
    with pytest.raises(Limited) as caught:
        series({"Note": text})
    assert caught.value.seconds is None


def test_a_limit_per_day_does_not_pass_soon() -> None:
    with pytest.raises(Limited) as caught:
        series({"Information": "Our standard API rate limit is 25 requests per day."})
    assert caught.value.seconds == 86_400


@pytest.mark.parametrize("payload", [[], {}, {"Time Series (5min)": 3}, {"Meta Data": {}}])
def test_an_alpha_vantage_answer_without_a_series_is_malformed(payload: Any) -> None:
    with pytest.raises(Malformed):
        series(payload)


def test_times_that_are_not_utc_are_not_believed() -> None:
    payload = {"Meta Data": {"6. Time Zone": "US/Eastern"}, "Time Series (1min)": {}}
    with pytest.raises(Malformed, match="US/Eastern"):
        series(payload)
