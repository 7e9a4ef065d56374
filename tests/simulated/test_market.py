from __future__ import annotations

import numpy as np
import pytest

from lakehouse.simulated import Market, Pair
from lakehouse.simulated.market import COLUMNS, DAY_MS, MINUTE_MS, VOLUME_UNIT, Candles

from .conftest import NOW_MS, known

STEPS = {"5m": 5, "15m": 15, "1h": 60, "4h": 240, "1d": 1440}
FIRST = 20_520 * DAY_MS  # 2026-03-08
LAST = FIRST + 3 * DAY_MS


@pytest.fixture(scope="module")
def market() -> Market:
    return Market(seed=7)


@pytest.fixture(scope="module")
def minutes(market: Market, bitcoin: Pair) -> Candles:
    return market.candles(bitcoin, MINUTE_MS, FIRST, LAST, NOW_MS)


def same(one: Candles, other: Candles) -> bool:
    return all(np.array_equal(getattr(one, c), getattr(other, c)) for c in COLUMNS)


def test_there_is_a_candle_for_every_minute(minutes: Candles) -> None:
    assert minutes.timestamp.tolist() == list(range(FIRST, LAST, MINUTE_MS))


@pytest.mark.parametrize("minutes_each", STEPS.values(), ids=STEPS)
def test_longer_candles_are_exactly_the_aggregate_of_their_minutes(
    market: Market, bitcoin: Pair, minutes: Candles, minutes_each: int
) -> None:
    longer = market.candles(bitcoin, minutes_each * MINUTE_MS, FIRST, LAST, NOW_MS)
    groups = {column: getattr(minutes, column).reshape(-1, minutes_each) for column in COLUMNS}
    assert longer.timestamp.tolist() == groups["timestamp"][:, 0].tolist()
    assert longer.open.tolist() == groups["open"][:, 0].tolist()
    assert longer.high.tolist() == groups["high"].max(axis=1).tolist()
    assert longer.low.tolist() == groups["low"].min(axis=1).tolist()
    assert longer.close.tolist() == groups["close"][:, -1].tolist()
    assert longer.volume.tolist() == groups["volume"].sum(axis=1).tolist()
    assert longer.trades.tolist() == groups["trades"].sum(axis=1).tolist()


def test_volumes_add_up_exactly_as_doubles_in_any_order(minutes: Candles) -> None:
    volumes = (minutes.volume * VOLUME_UNIT).tolist()
    texts = [f"{volume:.8f}" for volume in volumes]
    assert sum(volumes) == sum(reversed(volumes)) == int(minutes.volume.sum()) * VOLUME_UNIT
    assert [float(text) for text in texts] == volumes


def test_prices_lie_within_their_candle_and_go_on_where_it_ended(minutes: Candles) -> None:
    assert (minutes.low <= np.minimum(minutes.open, minutes.close)).all()
    assert (minutes.high >= np.maximum(minutes.open, minutes.close)).all()
    assert (minutes.open[1:] == minutes.close[:-1]).all()


def test_any_window_is_a_part_of_the_whole(market: Market, bitcoin: Pair, minutes: Candles) -> None:
    part = market.candles(bitcoin, MINUTE_MS, FIRST + 777 * MINUTE_MS, FIRST + 2 * DAY_MS, NOW_MS)
    assert same(part, minutes.take(slice(777, 2880)))


def test_the_same_seed_gives_the_same_market(bitcoin: Pair, minutes: Candles) -> None:
    assert same(Market(7).candles(bitcoin, MINUTE_MS, FIRST, LAST, NOW_MS), minutes)
    assert not same(Market(8).candles(bitcoin, MINUTE_MS, FIRST, LAST, NOW_MS), minutes)


def test_the_open_candle_is_not_yet_what_it_will_be(market: Market, bitcoin: Pair) -> None:
    now = FIRST + DAY_MS // 2 + 90_000
    open_ = market.candles(bitcoin, DAY_MS, FIRST, FIRST + DAY_MS, now)
    done = market.candles(bitcoin, DAY_MS, FIRST, FIRST + DAY_MS, NOW_MS)
    assert len(open_) == len(done) == 1
    assert open_.volume[0] < done.volume[0]
    assert open_.close[0] != done.close[0]
    minutes = market.candles(bitcoin, MINUTE_MS, now - 30_000, now + DAY_MS, now)
    assert minutes.timestamp.tolist() == [now - 30_000]


def test_nothing_has_traded_in_the_future_or_before_the_first_day(
    market: Market, bitcoin: Pair
) -> None:
    assert len(market.candles(bitcoin, DAY_MS, NOW_MS + DAY_MS, NOW_MS + 2 * DAY_MS, NOW_MS)) == 0
    assert len(market.candles(bitcoin, DAY_MS, 0, 100 * DAY_MS, NOW_MS)) == 0


def test_days_are_calm_and_wild(market: Market, bitcoin: Pair) -> None:
    days = market.candles(bitcoin, DAY_MS, NOW_MS - 365 * DAY_MS, NOW_MS, NOW_MS)
    ranges = np.log(days.high / days.low)
    assert np.quantile(ranges, 0.9) > 3 * np.quantile(ranges, 0.1)


@pytest.mark.parametrize("symbol", ["BTCUSD", "ETHBTC", "XRPETH", "DOGEUSDT", "EUR_USD", "FOOUSDT"])
def test_prices_stay_believable_for_ever(market: Market, symbol: str) -> None:
    pair = known(symbol)
    days = market.candles(pair, DAY_MS, NOW_MS - 400 * DAY_MS, NOW_MS, NOW_MS)
    prices = np.array([days.low.min(), days.high.max()]) / 10**pair.decimals
    assert prices[0] > max(0.0001, pair.price / 5)
    assert prices[1] < min(1_000_000, pair.price * 5)


def test_in_quiet_minutes_the_price_stands_still(bitcoin: Pair) -> None:
    quiet = Market(7, quiet_minutes=0.3).candles(bitcoin, MINUTE_MS, FIRST, LAST, NOW_MS)
    still = quiet.take(quiet.trades == 0)
    assert 0.25 < len(still) / len(quiet) < 0.35
    assert (still.high == still.low).all()
    assert still.volume.sum() == 0


@pytest.mark.parametrize(
    "symbol", ["BTCUSDT", "BTCUSD", "BTC-USD", "BTC_USD", "BTC/USD", "XBTUSD", "XXBTZUSD"]
)
def test_every_dialects_name_leads_to_the_same_pair(symbol: str) -> None:
    assert known(symbol) == Pair("BTC", "USD")
