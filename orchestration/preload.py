"""What every task would import for itself, imported once: workers are forked from here.

Importing it takes five seconds of processor time.
"""

from __future__ import annotations

from lakehouse import gate, transform
from spark_jobs import bronze_dead_letters, bronze_market_data, gold_market_data, ops_upkeep

__all__ = ["bronze_dead_letters", "bronze_market_data", "gold_market_data", "ops_upkeep"]

gate.preload()
transform.preload()
