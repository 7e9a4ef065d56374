"""What every task would import for itself, imported once: workers are forked from here.

It saves a task two to four seconds of processor time; see benchmarks/RESULTS.md.
"""

from __future__ import annotations

from lakehouse import gate, transform
from spark_jobs import bronze_dead_letters, bronze_market_data, gold_market_data, ops_upkeep

__all__ = ["bronze_dead_letters", "bronze_market_data", "gold_market_data", "ops_upkeep"]

gate.preload()
transform.preload()
