"""The last 24 hours of a pair at a glance, for the tickers of all dialects."""

from __future__ import annotations

from dataclasses import dataclass

from lakehouse.simulated.exchange import Exchange
from lakehouse.simulated.market import DAY_MS, MINUTE_MS, VOLUME_UNIT, Candles
from lakehouse.simulated.pairs import Pair


@dataclass(frozen=True, slots=True)
class DayView:
    """Prices in the quote currency, amounts in the base currency."""

    open: float
    high: float
    low: float
    last: float
    volume: float
    turnover: float
    trades: int
    start_ms: int
    end_ms: int

    @property
    def average(self) -> float:
        return self.turnover / self.volume if self.volume else self.last

    @property
    def change_percent(self) -> float:
        return (self.last / self.open - 1) * 100


def last_day(exchange: Exchange, pair: Pair) -> DayView:
    return _view(exchange, pair, exchange.now_ms() - DAY_MS + 1)


def today(exchange: Exchange, pair: Pair) -> DayView:
    """Since midnight UTC."""
    return _view(exchange, pair, exchange.now_ms() // DAY_MS * DAY_MS)


def _view(exchange: Exchange, pair: Pair, start: int) -> DayView:
    now = exchange.now_ms()
    minutes = exchange.candles(pair, MINUTE_MS, start // MINUTE_MS * MINUTE_MS, now + 1)
    return _summed(minutes, 10**pair.decimals, start, now)


def _summed(minutes: Candles, scale: int, start: int, end: int) -> DayView:
    return DayView(
        open=int(minutes.open[0]) / scale,
        high=int(minutes.high.max()) / scale,
        low=int(minutes.low.min()) / scale,
        last=int(minutes.close[-1]) / scale,
        volume=int(minutes.volume.sum()) * VOLUME_UNIT,
        turnover=float(minutes.turnover.sum()),
        trades=int(minutes.trades.sum()),
        start_ms=start,
        end_ms=end,
    )
