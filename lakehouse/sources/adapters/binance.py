"""Binance, spot: klines of twelve fields, the last one perhaps still open; ends are inclusive."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from lakehouse.settings import Asset
from lakehouse.sources.adapters.base import Answer, Figures, Page, milliseconds
from lakehouse.sources.adapters.ccxt_calls import CcxtAdapter
from lakehouse.sources.candles import moment
from lakehouse.sources.pacing import Pause
from lakehouse.sources.problems import Malformed
from lakehouse.timeframes import TIMEFRAMES

MILLISECOND = timedelta(milliseconds=1)


class Binance(CcxtAdapter):
    exchange_name = "binance"
    timeframes = {timeframe: timeframe for timeframe in TIMEFRAMES}  # noqa: RUF012
    page_candles = 1000

    def point(self, exchange: Any) -> None:
        exchange.urls["api"]["public"] = f"{self.base_url}/api/v3"

    def symbol(self, asset: Asset) -> str:
        # There are hardly any dollar markets; the stablecoin's stand in for them.
        return asset.base + ("USDT" if asset.quote == "USD" else asset.quote)

    def ask(self, symbol: str, page: Page, pause: Pause) -> Answer:
        parameters = {
            "symbol": symbol,
            "interval": self.timeframes[page.timeframe],
            "startTime": milliseconds(page.start),
            "endTime": milliseconds(page.end) - 1,
            "limit": self.page_candles,
        }
        payload, answer = self.call(pause, lambda exchange: exchange.public_get_klines(parameters))
        if not isinstance(payload, list):
            raise Malformed("not a list of klines")
        return replace(answer, rows=payload)

    def read(self, row: Any) -> Figures:
        if not isinstance(row, list) or len(row) < 6:
            return Figures()
        return Figures.read(moment(row[0], MILLISECOND), row[1:6], is_closed=True)
