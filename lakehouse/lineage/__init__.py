"""Lineage: how tables and steps hang together, drawn, and told as events of a run."""

from lakehouse.lineage.drawing import Arrow, arrows, arrows_of, mermaid, sources
from lakehouse.lineage.events import as_json, events
from lakehouse.lineage.graph import above, below, made_from, made_of, stream_of, tables
from lakehouse.lineage.runs import Dataset, StepRun, latest_run, steps_of

__all__ = [
    "Arrow",
    "Dataset",
    "StepRun",
    "above",
    "arrows",
    "arrows_of",
    "as_json",
    "below",
    "events",
    "latest_run",
    "made_from",
    "made_of",
    "mermaid",
    "sources",
    "steps_of",
    "stream_of",
    "tables",
]
