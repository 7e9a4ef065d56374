"""The embedded exchange: real HTTP, a real websocket, made-up prices, and faults on request."""

from lakehouse.simulated.corruption import Corruption, corrupted
from lakehouse.simulated.exchange import Exchange
from lakehouse.simulated.faults import Faults
from lakehouse.simulated.market import Market
from lakehouse.simulated.pairs import Pair, pair_of
from lakehouse.simulated.running import RunningExchange, base_url, feed_url, running_exchange, serve

__all__ = [
    "Corruption",
    "Exchange",
    "Faults",
    "Market",
    "Pair",
    "RunningExchange",
    "base_url",
    "corrupted",
    "feed_url",
    "pair_of",
    "running_exchange",
    "serve",
]
