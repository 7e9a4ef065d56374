"""Alpha Vantage: coins and currencies. One call gives a whole series; the key stands in the URL.

Errors, rate limits and what a plan does not include all come with status 200, and may repeat the
key. Currencies have no volume. There are no four-hour candles.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from lakehouse.settings import Asset
from lakehouse.sources.adapters.base import Answer, Figures, Page
from lakehouse.sources.adapters.http_calls import HttpAdapter
from lakehouse.sources.pacing import Pause
from lakehouse.sources.problems import Limited, Malformed, Problem, Refused, TooOld

CURRENCIES = {"USD", "EUR", "GBP", "JPY", "CHF", "AUD", "CAD", "NZD", "CNY", "SEK", "NOK", "DKK"}
DAY_SECONDS = 86_400.0
LIMIT_WORDS = re.compile(r"rate limit|call frequency|requests? per|calls? per|spreading out", re.I)
SHORT_LIMIT = re.compile(r"per[ -](minute|second)", re.I)
# `1. open`, and in older answers `1b. open (USD)`, once for the market and once for the dollar.
FIELD = re.compile(r"^\d+[ab]?\. (open|high|low|close|volume)(?: \((\w+)\))?$")


class AlphaVantage(HttpAdapter):
    timeframes = {  # noqa: RUF012
        "1m": "1min",
        "5m": "5min",
        "15m": "15min",
        "1h": "60min",
        "1d": "daily",
    }
    page_candles = None
    needs = "api_key"

    def symbol(self, asset: Asset) -> str:
        return f"{asset.base}/{asset.quote}"

    def ask(self, symbol: str, page: Page, pause: Pause) -> Answer:
        key = self.provider.api_key.get_secret_value() if self.provider.api_key else ""
        payload, answer = self.call(
            pause, "/query", self._parameters(symbol, page.timeframe), secrets={"apikey": key}
        )
        rows = series(payload)
        self._check_history(rows, page)
        return replace(answer, rows=rows)

    def _parameters(self, symbol: str, timeframe: str) -> dict[str, str]:
        base, _, quote = symbol.partition("/")
        is_money = base in CURRENCIES and quote in CURRENCIES
        is_daily = timeframe == "1d"
        if is_money:
            names = {"from_symbol": base, "to_symbol": quote}
            function = "FX_DAILY" if is_daily else "FX_INTRADAY"
        else:
            names = {"symbol": base, "market": quote}
            function = "DIGITAL_CURRENCY_DAILY" if is_daily else "CRYPTO_INTRADAY"
        interval = {} if is_daily else {"interval": self.timeframes[timeframe]}
        return {"function": function, **names, **interval, "outputsize": "full"}

    def _check_history(self, rows: list[Any], page: Page) -> None:
        times = [opened_at for row in rows if (opened_at := self.read(row).timestamp)]
        if times and min(times) > page.start:
            raise TooOld(min(times))

    def read(self, row: Any) -> Figures:
        """A row is `{time: {field: figure}}`, as it stands in the series."""
        ((time, fields),) = row.items()
        figures: dict[str, Any] = {}
        for name, value in fields.items() if isinstance(fields, dict) else ():
            if found := FIELD.match(name):
                figures.setdefault(found[1], value)
        names = ("open", "high", "low", "close", "volume")
        return Figures.read(_time(time), [figures.get(name) for name in names], is_closed=True)


def series(payload: Any) -> list[dict[str, Any]]:
    """The rows of an answer, oldest first. Raises Problem for what is told with status 200."""
    if not isinstance(payload, dict):
        raise Malformed("not an object")
    told = _told(payload)
    if told:
        raise told
    found = [rows for name, rows in payload.items() if name.startswith("Time Series")]
    if len(found) != 1 or not isinstance(found[0], dict):
        raise Malformed("no time series")
    _check_zone(payload.get("Meta Data"))
    return [{time: found[0][time]} for time in sorted(found[0])]


def _told(payload: dict[str, Any]) -> Problem | None:
    if "Error Message" in payload:
        return Refused(str(payload["Error Message"]))
    text = str(payload.get("Note") or payload.get("Information") or "")
    if not text:
        return None
    if "premium endpoint" in text or not LIMIT_WORDS.search(text):
        return Refused(text)
    is_daily = "per day" in text and not SHORT_LIMIT.search(text)
    return Limited(text, DAY_SECONDS if is_daily else None)


def _check_zone(meta: Any) -> None:
    facts = meta.items() if isinstance(meta, dict) else ()
    zones = [str(zone) for name, zone in facts if name.endswith("Time Zone")]
    if any(not zone.startswith("UTC") for zone in zones):
        raise Malformed(f"its times are of {zones[0]}, not UTC")


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return None
