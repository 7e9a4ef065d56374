"""Oanda: currencies, metals, some coins. Mid prices; volumes count price changes.

Its days begin in New York unless it is told otherwise, a range into the future is refused (so a
count is asked for), and the open candle says `complete: false`. At weekends there are no candles.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from lakehouse.settings import Asset
from lakehouse.sources.adapters.base import Answer, Figures, Page
from lakehouse.sources.adapters.http_calls import HttpAdapter
from lakehouse.sources.pacing import Pause
from lakehouse.sources.problems import Malformed
from lakehouse.timeframes import expected_candles


class Oanda(HttpAdapter):
    timeframes = {  # noqa: RUF012
        "1m": "M1",
        "5m": "M5",
        "15m": "M15",
        "1h": "H1",
        "4h": "H4",
        "1d": "D",
    }
    page_candles = 5000
    needs = "token"

    def symbol(self, asset: Asset) -> str:
        return f"{asset.base}_{asset.quote}"

    def ask(self, symbol: str, page: Page, pause: Pause) -> Answer:
        token = self.provider.token.get_secret_value() if self.provider.token else ""
        parameters = {
            "price": "M",
            "granularity": self.timeframes[page.timeframe],
            "from": page.start.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "count": str(expected_candles(page.timeframe, page.start, page.end)),
            "dailyAlignment": "0",
            "alignmentTimezone": "UTC",
        }
        headers = {"Authorization": f"Bearer {token}", "Accept-Datetime-Format": "RFC3339"}
        path = f"/v3/instruments/{symbol}/candles"
        payload, answer = self.call(pause, path, parameters, headers=headers)
        rows = payload.get("candles") if isinstance(payload, dict) else None
        if not isinstance(rows, list):
            raise Malformed("no list of candles")
        return replace(answer, rows=rows)

    def message(self, payload: Any) -> str:
        text = payload.get("errorMessage") if isinstance(payload, dict) else None
        return str(text or super().message(payload))

    def read(self, row: Any) -> Figures:
        if not isinstance(row, dict):
            return Figures()
        mid = row.get("mid")
        prices = mid if isinstance(mid, dict) else {}
        figures = [*(prices.get(name) for name in "ohlc"), row.get("volume")]
        return Figures.read(_time(row.get("time")), figures, row.get("complete") is not False)


def _time(value: Any) -> datetime | None:
    """`2016-10-17T19:35:00.000000000Z`: nanoseconds, of which Python keeps six digits."""
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else None
