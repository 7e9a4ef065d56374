"""What a stream remembers of each symbol: how far it has come, and what its prices were."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest

from lakehouse.settings import StreamOptions
from lakehouse.streams.recent import Recent, flagged
from tests.streams.conftest import START


def trades(*prices: float, symbol: str = "AAPL", since: float = 0) -> pl.DataFrame:
    """A trade a second."""
    return pl.DataFrame(
        {
            "symbol": [symbol] * len(prices),
            "timestamp": [START + timedelta(seconds=since + n) for n in range(len(prices))],
            "price": list(prices),
            "volume": [1.0] * len(prices),
            "offset": list(range(len(prices))),
        }
    )


@pytest.fixture
def recent() -> Recent:
    return Recent(StreamOptions(), pl.DataFrame())


def seen(recent: Recent, rows: pl.DataFrame) -> pl.DataFrame:
    """The trades flagged; then they are remembered."""
    marked = flagged(rows, recent.limits(rows))
    recent.remember(marked)
    return marked


def test_of_a_symbol_that_nobody_knows_its_own_trades_are_the_measure(recent: Recent) -> None:
    marked = seen(recent, trades(*[100.0, 101.0] * 20, 200.0))
    assert marked.filter("is_outlier")["price"].to_list() == [200.0]
    assert not marked["is_late"].any()


def test_of_a_few_prices_none_is_far_off(recent: Recent) -> None:
    assert not seen(recent, trades(100.0, 101.0, 100.0, 5000.0))["is_outlier"].any()


def test_prices_are_measured_by_those_of_the_last_minutes_only(recent: Recent) -> None:
    seen(recent, trades(*[100.0, 101.0] * 20))
    seen(recent, trades(*[200.0, 201.0] * 20, since=3600))
    marked = seen(recent, trades(200.5, 100.5, since=3660))
    assert marked["is_outlier"].to_list() == [False, True]


def test_a_trade_is_late_by_the_clock_of_its_own_symbol(recent: Recent) -> None:
    seen(recent, trades(100.0, since=3600))
    seen(recent, trades(100.0, symbol="MSFT"))
    both = pl.concat([trades(1.0, since=2000), trades(1.0, symbol="MSFT", since=-500)])
    marked = seen(recent, both)
    assert marked["is_late"].to_list() == [True, False]
    assert flagged(both, recent.limits(both))["is_late"].to_list() == [True, False]
