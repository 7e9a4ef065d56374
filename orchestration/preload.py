"""What every task would import for itself, imported once: workers are forked from here.

Importing it takes five seconds of processor time.
"""

from __future__ import annotations

import gc

from lakehouse.preloading import preload
from spark_jobs import (
    bronze_dead_letters,
    bronze_market_data,
    bronze_streams,
    gold_market_data,
    ops_upkeep,
    silver_trade_aggregates,
)

__all__ = [
    "bronze_dead_letters",
    "bronze_market_data",
    "bronze_streams",
    "gold_market_data",
    "ops_upkeep",
    "silver_trade_aggregates",
]

preload()
# No worker or task looks for garbage among it, and copies its memory by doing so.
gc.freeze()
