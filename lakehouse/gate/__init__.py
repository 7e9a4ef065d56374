"""Gates: which rows may enter a table, and why the others may not."""

from lakehouse.gate.docs import write_data_docs
from lakehouse.gate.gate import Gate
from lakehouse.gate.library import preload
from lakehouse.gate.suites import Check, Suite, load_suites, suite_of
from lakehouse.gate.verdicts import BatchVerdict, Finding, Judgement, quality_rows

__all__ = [
    "BatchVerdict",
    "Check",
    "Finding",
    "Gate",
    "Judgement",
    "Suite",
    "load_suites",
    "preload",
    "quality_rows",
    "suite_of",
    "write_data_docs",
]
