"""One adapter a dialect."""

from lakehouse.settings import Dialect
from lakehouse.sources.adapters.base import Adapter
from lakehouse.sources.adapters.binance import Binance

ADAPTERS: dict[Dialect, type[Adapter]] = {
    "binance": Binance,
}

__all__ = ["ADAPTERS", "Adapter"]
