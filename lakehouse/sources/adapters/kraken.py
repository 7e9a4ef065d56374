"""Kraken: `since` is exclusive, the volume comes after the average, only 720 candles are kept.

Its pairs answer to names (`XBTUSD`) other than their keys (`XXBTZUSD`). A minute without a trade is
a flat candle with volume 0: that is what the source says, and it is kept.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from lakehouse.settings import Asset
from lakehouse.sources.adapters.base import Answer, Figures, Page, seconds
from lakehouse.sources.adapters.ccxt_calls import CcxtAdapter
from lakehouse.sources.candles import moment
from lakehouse.sources.pacing import Pause
from lakehouse.sources.problems import Malformed, TooOld
from lakehouse.timeframes import TIMEFRAMES

SECOND = timedelta(seconds=1)
KEPT_CANDLES = 720
OWN_NAMES = {"BTC": "XBT", "DOGE": "XDG"}


class Kraken(CcxtAdapter):
    exchange_name = "kraken"
    timeframes = {  # noqa: RUF012
        name: str(int(length.total_seconds() // 60)) for name, length in TIMEFRAMES.items()
    }
    page_candles = None

    def point(self, exchange: Any) -> None:
        exchange.urls["api"]["public"] = self.base_url

    def symbol(self, asset: Asset) -> str:
        return OWN_NAMES.get(asset.base, asset.base) + OWN_NAMES.get(asset.quote, asset.quote)

    def ask(self, symbol: str, page: Page, pause: Pause) -> Answer:
        parameters = {
            "pair": symbol,
            "interval": self.timeframes[page.timeframe],
            "since": str(seconds(page.start) - 1),
        }
        payload, answer = self.call(pause, lambda exchange: exchange.public_get_ohlc(parameters))
        rows = _rows(payload)
        self._check_history(rows, page)
        return replace(answer, rows=rows)

    def _check_history(self, rows: list[Any], page: Page) -> None:
        """A `since` of long ago is not refused, but answered with what is left: say so."""
        times = [opened_at for row in rows if (opened_at := self.read(row).timestamp)]
        if len(rows) >= KEPT_CANDLES and times and min(times) > page.start:
            raise TooOld(min(times))

    def read(self, row: Any) -> Figures:
        if not isinstance(row, list) or len(row) < 7:
            return Figures()
        time, open_, high, low, close, _average, volume = row[:7]
        figures = (open_, high, low, close, volume)
        return Figures.read(moment(time, SECOND), figures, is_closed=True)


def _rows(payload: Any) -> list[Any]:
    result = payload.get("result") if isinstance(payload, dict) else None
    series = [rows for key, rows in (result or {}).items() if key != "last"]
    if len(series) != 1 or not isinstance(series[0], list):
        raise Malformed("not the candles of one pair")
    return list(series[0])
