"""One adapter a dialect."""

from lakehouse.settings import Dialect
from lakehouse.sources.adapters.alpha_vantage import AlphaVantage
from lakehouse.sources.adapters.base import Adapter
from lakehouse.sources.adapters.binance import Binance
from lakehouse.sources.adapters.coinbase import Coinbase
from lakehouse.sources.adapters.kraken import Kraken
from lakehouse.sources.adapters.oanda import Oanda

ADAPTERS: dict[Dialect, type[Adapter]] = {
    "binance": Binance,
    "coinbase": Coinbase,
    "kraken": Kraken,
    "alpha_vantage": AlphaVantage,
    "oanda": Oanda,
}

__all__ = ["ADAPTERS", "Adapter"]
