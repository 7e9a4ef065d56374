"""The gap ledger: which expected candles are absent, and why."""

from lakehouse.gaps.calendars import Grid, expected_count, grid_of
from lakehouse.gaps.facts import Candles, Facts, Refused, Window
from lakehouse.gaps.ledger import take_in
from lakehouse.gaps.reading import (
    DELISTED,
    GAP_CLASSES,
    NO_TRADE,
    NOT_FETCHED,
    OUTAGE,
    REJECTED,
    Gap,
    Horizon,
    Series,
    read_coverage,
    read_gaps,
)
from lakehouse.gaps.summary import Scope, Summary, make_scope, summarise, views_of
from lakehouse.gaps.views import View

__all__ = [
    "DELISTED",
    "GAP_CLASSES",
    "NOT_FETCHED",
    "NO_TRADE",
    "OUTAGE",
    "REJECTED",
    "Candles",
    "Facts",
    "Gap",
    "Grid",
    "Horizon",
    "Refused",
    "Scope",
    "Series",
    "Summary",
    "View",
    "Window",
    "expected_count",
    "grid_of",
    "make_scope",
    "read_coverage",
    "read_gaps",
    "summarise",
    "take_in",
    "views_of",
]
