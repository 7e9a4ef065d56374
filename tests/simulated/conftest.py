from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from lakehouse.simulated import Pair, RunningExchange, pair_of, running_exchange

NOW = datetime(2026, 3, 15, 12, 0, 30, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)


@pytest.fixture(scope="session")
def one_exchange() -> Iterator[RunningExchange]:
    with running_exchange(now_ms=NOW_MS) as exchange:
        yield exchange


@pytest.fixture
def exchange(one_exchange: RunningExchange) -> RunningExchange:
    one_exchange.reset(now_ms=NOW_MS)
    return one_exchange


@pytest.fixture(scope="session")
def bitcoin() -> Pair:
    return known("BTCUSD")


def known(symbol: str) -> Pair:
    pair = pair_of(symbol)
    assert pair
    return pair
