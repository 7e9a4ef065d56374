"""Coinbase, Advanced Trade. Newest first, times are texts of seconds, both ends are inclusive.

It has no four-hour candles; they are built from pairs of two-hour ones, and their row is the list
of those. Where nobody traded there is no candle.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from lakehouse.settings import Asset
from lakehouse.sources.adapters.base import Answer, Figures, Page, seconds
from lakehouse.sources.adapters.ccxt_calls import CcxtAdapter
from lakehouse.sources.candles import moment
from lakehouse.sources.pacing import Pause
from lakehouse.sources.problems import Malformed
from lakehouse.timeframes import TIMEFRAMES, ceil, floor

SECOND = timedelta(seconds=1)
FOUR_HOURS = TIMEFRAMES["4h"]
TWO_HOURS = FOUR_HOURS / 2


class Coinbase(CcxtAdapter):
    exchange_name = "coinbase"
    timeframes = {  # noqa: RUF012
        "1m": "ONE_MINUTE",
        "5m": "FIVE_MINUTE",
        "15m": "FIFTEEN_MINUTE",
        "1h": "ONE_HOUR",
        "4h": "TWO_HOUR",
        "1d": "ONE_DAY",
    }
    page_candles = 300

    @classmethod
    def candles_per_page(cls, timeframe: str) -> int:
        return cls.page_candles // (2 if timeframe == "4h" else 1)

    def point(self, exchange: Any) -> None:
        exchange.urls["api"]["rest"] = self.base_url

    def symbol(self, asset: Asset) -> str:
        return f"{asset.base}-{asset.quote}"

    def ask(self, symbol: str, page: Page, pause: Pause) -> Answer:
        length = TWO_HOURS if page.timeframe == "4h" else TIMEFRAMES[page.timeframe]
        parameters = {
            "product_id": symbol,
            "granularity": self.timeframes[page.timeframe],
            "start": str(seconds(page.start)),
            "end": str(seconds(ceil(page.end, TIMEFRAMES[page.timeframe]) - length)),
        }
        payload, answer = self.call(
            pause,
            lambda exchange: exchange.v3_public_get_brokerage_market_products_product_id_candles(
                parameters
            ),
        )
        rows = payload.get("candles") if isinstance(payload, dict) else None
        if not isinstance(rows, list):
            raise Malformed("no list of candles")
        rows = rows[::-1]
        return replace(answer, rows=_in_fours(rows) if page.timeframe == "4h" else rows)

    def read(self, row: Any) -> Figures:
        return _built(row) if isinstance(row, list) and row else _figures(row)


def _figures(row: Any) -> Figures:
    if not isinstance(row, dict):
        return Figures()
    figures = [row.get(name) for name in ("open", "high", "low", "close", "volume")]
    return Figures.read(moment(row.get("start"), SECOND), figures, is_closed=True)


def _in_fours(rows: list[Any]) -> list[Any]:
    """Two-hour rows, oldest first, in lists of those that make up one four-hour candle."""

    def key(row: Any) -> datetime | int:
        opened_at = _figures(row).timestamp
        return floor(opened_at, FOUR_HOURS) if opened_at else id(row)

    return [list(group) for _, group in groupby(rows, key)]


def _built(rows: list[Any]) -> Figures:
    """The four-hour candle of its parts. If one of them is broken it says nothing: the gate will
    find it wanting, and its row shows the parts."""
    parts = [_figures(row) for row in rows]
    opened_at = parts[0].timestamp and floor(parts[0].timestamp, FOUR_HOURS)
    if len({part.timestamp for part in parts}) < len(parts) or not all(map(_is_sound, parts)):
        return Figures(opened_at)
    return Figures(
        opened_at,
        parts[0].open,
        max(part.high or 0 for part in parts),
        min(part.low or 0 for part in parts),
        parts[-1].close,
        sum(part.volume or 0 for part in parts),
    )


def _is_sound(part: Figures) -> bool:
    if part.timestamp is None or part.timestamp != floor(part.timestamp, TWO_HOURS):
        return False
    prices = (part.open, part.high, part.low, part.close)
    if part.high is None or part.low is None or part.volume is None or None in prices:
        return False
    is_within = all(part.low <= price <= part.high for price in prices if price is not None)
    return is_within and part.low > 0 and part.volume >= 0
