"""Which pair a symbol means, in whatever dialect it is written, and what that pair is worth."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

# Dollars for one unit. Not a forecast: only so that charts look like the asset they are named for.
LEVELS_USD = {
    "BTC": 60_000.0, "ETH": 3_000.0, "BNB": 550.0, "SOL": 150.0, "XRP": 2.0, "ADA": 0.45,
    "DOGE": 0.12, "LTC": 80.0, "DOT": 6.5, "AVAX": 30.0, "LINK": 14.0, "XMR": 160.0, "ZEC": 30.0,
    "BCH": 400.0, "TRX": 0.12, "UNI": 8.0, "ATOM": 8.0, "ETC": 25.0, "XLM": 0.11, "NEAR": 5.0,
    "USD": 1.0, "USDT": 1.0, "USDC": 1.0, "EUR": 1.1, "GBP": 1.28, "JPY": 0.0067, "CHF": 1.13,
    "AUD": 0.66, "CAD": 0.73, "XAU": 2_400.0, "XAG": 29.0,
}  # fmt: skip
# Longest first, so that BTCUSDT is not read as BTCUSD and T.
QUOTES = ("USDT", "USDC", "USD", "EUR", "GBP", "JPY", "CHF", "AUD", "CAD", "BTC", "ETH", "BNB")
KRAKEN_NAMES = {"XBT": "BTC", "XDG": "DOGE"}
DOLLARS = {"USDT": "USD", "USDC": "USD"}
FIAT = {"USD", "EUR", "GBP", "JPY", "CHF", "AUD", "CAD"}
STOCK = re.compile(r"[A-Z]{1,5}(\.[A-Z])?")


@dataclass(frozen=True, slots=True)
class Pair:
    """A market of the exchange. Every dialect's name for it leads to the same one."""

    base: str
    quote: str

    @property
    def name(self) -> str:
        return self.base + self.quote

    @property
    def base_usd(self) -> float:
        return _level(self.base)

    @property
    def price(self) -> float:
        """The price around which the market moves, in the quote currency."""
        return _level(self.base) / _level(self.quote)

    @property
    def decimals(self) -> int:
        """Digits after the point of the smallest price step: six or so significant digits."""
        return min(8, max(2, 6 - math.floor(math.log10(self.price))))

    @property
    def key(self) -> int:
        return _hash(self.name)


@lru_cache(maxsize=4096)
def pair_of(symbol: str) -> Pair | None:
    """The pair of `BTCUSDT`, `BTC-USD`, `XBTUSD`, `XXBTZUSD`, `BTC_USD` or `BTC/USD`, or None."""
    for separator in "-_/":
        base, found, quote = symbol.partition(separator)
        if found:
            return _pair(base, quote)
    if len(symbol) == 8 and symbol[0] == "X" and symbol[4] in "XZ":
        return _pair(symbol[1:4], symbol[5:])
    for quote in QUOTES:
        if symbol.endswith(quote):
            return _pair(symbol.removesuffix(quote), quote)
    return None


def traded_pair(symbol: str) -> Pair | None:
    """What a trade feed calls `BINANCE:BTCUSDT` or, a stock, `AAPL`, which has its price in USD."""
    venue, found, name = symbol.partition(":")
    if found:
        return pair_of(name) if venue else None
    return Pair(symbol, "USD") if STOCK.fullmatch(symbol) else None


def _pair(base: str, quote: str) -> Pair | None:
    base, quote = KRAKEN_NAMES.get(base, base), KRAKEN_NAMES.get(quote, quote)
    if not (base.isalnum() and base.isupper() and quote in QUOTES):
        return None
    return Pair(base, DOLLARS.get(quote, quote))


def _level(name: str) -> float:
    if name in LEVELS_USD:
        return LEVELS_USD[name]
    return float(10 ** (_hash(name) % 4000 / 1000 - 1))  # 0.1 to 1,000 dollars


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=6).digest(), "big")
