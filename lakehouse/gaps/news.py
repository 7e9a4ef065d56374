"""News: facts as runs of numbers on the axis, and how far they reach."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lakehouse.gaps.axis import Axis, Reach, as_ints, runs_of
from lakehouse.gaps.calendars import Ints, micros
from lakehouse.gaps.facts import Candles, Facts, Window
from lakehouse.gaps.painting import EMPTY, PRESENT, REFUSED, STATES, News, Runs
from lakehouse.gaps.reading import Series


def reach_of(facts: Facts, axis: Axis) -> Reach:
    """How far the facts reach, series by series of the axis."""
    windows, candles = _spans(axis, facts.windows), _spans(axis, facts.candles)
    reach = Reach.nowhere(len(axis.series))
    ends = candles.end + axis.steps[candles.ordinal]
    for span in (windows, candles._replace(end=ends)):
        np.minimum.at(reach.start, span.ordinal, span.start)
        np.maximum.at(reach.end, span.ordinal, span.end)
    np.minimum.at(reach.first, candles.ordinal, candles.start)
    np.maximum.at(reach.last, candles.ordinal, candles.end)
    return reach


class _Spans(NamedTuple):
    ordinal: Ints
    start: Ints
    end: Ints


def _spans(axis: Axis, facts: Sequence[Window] | Sequence[Candles]) -> _Spans:
    """Windows from start to end, candles from the first to the last one's opening."""
    ends = [
        (fact.start, fact.end) if isinstance(fact, Window) else (fact.first, fact.last)
        for fact in facts
    ]
    return _Spans(
        as_ints(axis.ordinal(fact.series) for fact in facts),
        as_ints(micros(start) for start, _ in ends),
        as_ints(micros(end) for _, end in ends),
    )


def news_of(facts: Facts, axis: Axis, details: list[str]) -> News:
    """The facts as runs; their details join the list, whose places are what the runs name."""
    failed = [window for window in facts.windows if not window.is_answered]
    answered = [window for window in facts.windows if window.is_answered]
    return News(
        failed=_windows(axis, failed, details),
        answered=_windows(axis, answered, details),
        flat=_points(axis, EMPTY, [(c.series, c.flat, 0) for c in facts.candles]),
        refused=_points(
            axis,
            REFUSED,
            [(r.series, r.times, _noted(details, r.detail)) for r in facts.refused],
        ),
        arrived=_joined(
            _points(axis, PRESENT, [(c.series, c.traded, 0) for c in facts.candles]),
            _whole(axis, facts.candles),
        ),
    )


def _windows(axis: Axis, windows: list[Window], details: list[str]) -> Runs:
    spans = _spans(axis, windows)
    return Runs(
        axis.numbers(spans.ordinal, spans.start),
        axis.numbers(spans.ordinal, spans.end),
        as_ints(STATES[window.gap_class] for window in windows),
        as_ints(_noted(details, window.detail) for window in windows),
    )


def _noted(details: list[str], detail: str) -> int:
    """The place of the detail in the list; the first place is for none."""
    if not detail:
        return 0
    if details[-1] != detail:
        details.append(detail)
    return len(details) - 1


def _whole(axis: Axis, found: list[Candles]) -> Runs:
    """The candles of which each one came, all series at once."""
    spans = _spans(axis, [candles for candles in found if candles.traded is None])
    start = axis.numbers(spans.ordinal, spans.start)
    end = axis.numbers(spans.ordinal, spans.end + 1)
    none = np.zeros(len(start), np.int64)
    return Runs(start, end, none + PRESENT, none)


def _points(axis: Axis, state: int, found: list[tuple[Series, Ints | None, int]]) -> Runs:
    """The candles that contain these times, with the detail beside them; None is no time."""
    there = [(series, times, detail) for series, times, detail in found if times is not None]
    counts = [len(times) for _, times, _ in there]
    ordinals = np.repeat(as_ints(axis.ordinal(series) for series, _, _ in there), counts)
    details = np.repeat(as_ints(detail for _, _, detail in there), counts)
    times = np.concatenate([np.zeros(0, np.int64), *(times for _, times, _ in there)])
    numbers, is_expected = axis.containing(ordinals, times)
    start, end, detail = runs_of(numbers[is_expected], details[is_expected])
    return Runs(start, end, np.full(len(start), state), detail)


def _joined(one: Runs, other: Runs) -> Runs:
    return Runs(*(np.concatenate(columns) for columns in zip(one, other, strict=True)))
