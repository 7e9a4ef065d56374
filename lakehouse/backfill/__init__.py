"""Backfill: from a request over a range of time to rows in bronze, resumable at any point."""

from lakehouse.backfill import runs
from lakehouse.backfill.fill import FILLABLE, Filled, Filling, FillRequest
from lakehouse.backfill.plan import Batch, make_plan
from lakehouse.backfill.progress import landed_intervals
from lakehouse.backfill.request import BackfillRequest, make_request
from lakehouse.backfill.run import Backfill, Result, Watcher

__all__ = [
    "FILLABLE",
    "Backfill",
    "BackfillRequest",
    "Batch",
    "FillRequest",
    "Filled",
    "Filling",
    "Result",
    "Watcher",
    "landed_intervals",
    "make_plan",
    "make_request",
    "runs",
]
