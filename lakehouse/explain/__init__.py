"""The history of a row: where it came from, what it passed, how it changed, what depends on it."""

from lakehouse.explain.origins import Origin
from lakehouse.explain.span import Span
from lakehouse.explain.story import Story, explain
from lakehouse.explain.telling import as_object
from lakehouse.explain.versions import History, RowVersion

__all__ = ["History", "Origin", "RowVersion", "Span", "Story", "as_object", "explain"]
