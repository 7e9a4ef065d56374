"""A story as one object of plain values, for JSON and for whoever prints it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from lakehouse.explain.files import Row
from lakehouse.explain.span import Span
from lakehouse.explain.story import Story
from lakehouse.explain.versions import History, RowVersion
from lakehouse.releases import Release


def as_object(story: Story) -> dict[str, Any]:
    """The story: its keys are those of Story, and `bronze` is what Origin holds.

    Each history has its rows `now` and its `versions`, each of these with the kept releases that
    hold it. A number that is none is null.
    """
    facts: dict[str, Any] = {
        "row": _named(story.span),
        "verdict": story.verdict,
        "now": story.rows,
        "bronze": asdict(story.origin),
        "gates": story.gates,
        "histories": [_history(history, story.releases) for history in story.histories],
        "superseded": story.superseded,
        "dependents": [_named(span) for span in story.dependents],
        "dead_letters": story.refusals,
        "gaps": story.gaps,
    }
    plain: dict[str, Any] = _without_nan(facts)
    return plain


def _named(span: Span) -> Row:
    return {
        "table": span.table.full_name,
        span.asset_column: span.asset,
        "timeframe": span.timeframe,
        span.time_column: span.first,
    }


def _history(history: History, releases: list[Release]) -> dict[str, Any]:
    versions = list(_versions(history, releases))
    return {
        "row": _named(history.span),
        "present_version": history.present,
        "known_from_version": history.known_from,
        "now": history.versions[-1].rows if history.versions else [],
        "versions": versions,
    }


def _versions(history: History, releases: list[Release]) -> Iterator[dict[str, Any]]:
    held: dict[int, list[str]] = {version.version: [] for version in history.versions}
    for release in reversed(releases):
        pinned = release.versions.get(history.span.table.full_name)
        found = None if pinned is None else history.at(pinned)
        if found:
            held[found.version].append(release.name)
    before: RowVersion | None = None
    for version in history.versions:
        yield {
            "version": version.version,
            "committed_at": version.committed_at,
            "operation": version.operation,
            "what": _what(version, before, history.known_from),
            "changes": {name: list(pair) for name, pair in version.changes.items()},
            "rows": version.rows,
            "releases": held[version.version],
        }
        before = version


def _what(version: RowVersion, before: RowVersion | None, known_from: int) -> str:
    if version.rows is None:
        return "vacuumed"
    if not version.rows:
        return "removed"
    if before is None and version.version == known_from > 0:
        return "there before"
    if before is None or not before.rows:
        return "written"
    return "changed" if version.changes else "written again"


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nan(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_without_nan(each) for each in value]
    return None if isinstance(value, float) and value != value else value
