"""Durable progress: which windows of which asset and timeframe are landed, and how far without gap.

The record is ops.progress, one row per attempt at a window. A window counts as done when an
attempt landed it; how windows were cut does not matter, only the time they cover.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from lakehouse import ops
from lakehouse.settings import Settings
from lakehouse.tables import bronze_table

Interval = tuple[datetime, datetime]
Series = tuple[str, str]  # asset_pair, timeframe


def landed_intervals(
    settings: Settings, provider: str, counts: Callable[[str], bool] = lambda run_id: True
) -> dict[Series, list[Interval]]:
    """What is landed of each series, as sorted intervals that do not touch.

    `counts` says of a run_id whether its landings count.
    """
    found: dict[Series, list[Interval]] = defaultdict(list)
    for row in ops.read(settings, "ops.progress").to_pylist():
        is_landed = row["status"] == "landed" and row["provider"] == provider
        if is_landed and counts(row["run_id"]):
            series = (row["asset_pair"], row["timeframe"])
            found[series].append((row["window_start"], row["window_end"]))
    return {series: union(intervals) for series, intervals in found.items()}


def union(intervals: Iterable[Interval]) -> list[Interval]:
    merged: list[Interval] = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def subtract(whole: Interval, covered: Iterable[Interval]) -> list[Interval]:
    """What is left of `whole` outside the sorted intervals `covered`."""
    start, end = whole
    rest: list[Interval] = []
    for first, last in covered:
        if first > start:
            rest.append((start, min(first, end)))
        start = max(start, last)
        if start >= end:
            break
    return [
        *(piece for piece in rest if piece[0] < piece[1]),
        *([(start, end)] if start < end else []),
    ]


def record(settings: Settings, rows: Sequence[Mapping[str, Any]]) -> None:
    """Note attempts, then move the watermarks of the series whose windows landed."""
    stamp = ops.now()
    ops.append(settings, "ops.progress", [{**row, "recorded_at": stamp} for row in rows])
    for provider in {row["provider"] for row in rows if row["status"] == "landed"}:
        series = {
            (row["asset_pair"], row["timeframe"]) for row in rows if row["status"] == "landed"
        }
        _move_watermarks(settings, provider, series)


def _move_watermarks(settings: Settings, provider: str, touched: set[Series]) -> None:
    landed = landed_intervals(settings, provider)
    marks = [
        {
            "table": bronze_table(timeframe).full_name,
            "asset_pair": asset_pair,
            "timeframe": timeframe,
            "provider": provider,
            # Everything before it is landed: the end of the first stretch, not of the last.
            "watermark": landed[asset_pair, timeframe][0][1],
            "updated_at": ops.now(),
        }
        for asset_pair, timeframe in sorted(touched)
    ]
    ops.upsert(settings, "ops.watermarks", marks)
