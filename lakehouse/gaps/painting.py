"""Painting: what was known of candles, painted over with what is new, layer by layer.

The axis is cut wherever anything begins or ends. Each piece has one state and one detail, so a
layer costs a few array operations for all series at once, however long its runs are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lakehouse.gaps.calendars import Ints
from lakehouse.gaps.reading import DELISTED, NO_TRADE, NOT_FETCHED, OUTAGE, REJECTED

# States of a candle. EMPTY is what a source has no trade of; whether that counts as no_trade or as
# delisted follows from where it is. GONE is delisted by the source's own word.
UNKNOWN, PRESENT, UNFETCHED, DOWN, EMPTY, REFUSED, GONE = range(7)
STATES = {NOT_FETCHED: UNFETCHED, OUTAGE: DOWN, NO_TRADE: EMPTY, REJECTED: REFUSED, DELISTED: GONE}
CLASSES = {state: gap_class for gap_class, state in STATES.items()}
ABSENT = (UNKNOWN, UNFETCHED, DOWN, EMPTY, REFUSED, GONE)
# What a failed window may replace: nothing that an answer said.
BY_FAILURE = {
    UNFETCHED: (UNKNOWN, UNFETCHED),
    DOWN: (UNKNOWN, UNFETCHED, DOWN),
    GONE: (UNKNOWN, UNFETCHED, DOWN, GONE),
}


class Runs(NamedTuple):
    """Half-open runs of numbers, each with a state and the number of its detail.

    Details are numbered by age, the newest highest; 0 is none.
    """

    start: Ints
    end: Ints
    state: Ints
    detail: Ints

    def take(self, chosen: NDArray[np.bool_] | Ints) -> Runs:
        return Runs(*(column[chosen] for column in self))


@dataclass(frozen=True, slots=True)
class Ends:
    """By series: where what is known begins and ends, and the numbers of the first and the last
    candle that the source has; where it has none, the first is beyond and the last before all."""

    known_start: Ints
    known_end: Ints
    first: Ints
    last: Ints


@dataclass(frozen=True, slots=True)
class News:
    """The facts of a landing as runs, in the order in which they are painted."""

    failed: Runs
    answered: Runs
    flat: Runs
    refused: Runs
    arrived: Runs


def repainted(before: Runs, news: News, old: Ends, new: Ends, shortest: Ints, shift: int) -> Runs:
    """All gaps of the series after the news, as far as `before` tells of those there were.

    The gaps are maximal, disjoint and ascending. An empty run beyond a series' candles is delisted
    from `shortest` candles on. A candle that was present stays so.
    """
    layers = (before, *(getattr(news, name) for name in News.__slots__))
    cuts = [column for layer in layers for column in (layer.start, layer.end)]
    ends = (old.known_start, old.known_end, new.known_start, new.known_end)
    canvas = _Canvas(np.concatenate([*cuts, *ends, new.first, new.last + 1]))
    canvas.paint(_all(old.known_start, old.known_end, PRESENT), (UNKNOWN,))
    canvas.paint(before, (PRESENT,))  # of no use where it was not known
    for state, over in BY_FAILURE.items():
        canvas.paint(news.failed.take(news.failed.state == state), over)
    canvas.paint(news.answered, ABSENT)
    canvas.paint(news.flat, ABSENT)
    canvas.paint(news.refused, ABSENT)
    canvas.paint(news.arrived, ABSENT)
    canvas.paint(_all(new.known_start, new.known_end, UNFETCHED), (UNKNOWN,))
    return _merged(canvas.gaps(), new, shortest, shift)


def _all(start: Ints, end: Ints, state: int) -> Runs:
    none = np.zeros(len(start), np.int64)
    return Runs(start, end, none + state, none)


class _Canvas:
    def __init__(self, cuts: Ints) -> None:
        self.cuts = np.unique(cuts)
        self.state = np.full(len(self.cuts), UNKNOWN, np.int64)
        self.detail = np.zeros(len(self.cuts), np.int64)

    def paint(self, layer: Runs, over: tuple[int, ...]) -> None:
        """Where runs overlap, the last one wins."""
        first = np.searchsorted(self.cuts, layer.start)
        counts = np.maximum(np.searchsorted(self.cuts, layer.end) - first, 0)
        run = np.repeat(np.arange(len(first)), counts)
        piece = np.arange(len(run)) - np.repeat(np.cumsum(counts) - counts - first, counts)
        may = np.isin(self.state, over)[piece]
        self.state[piece[may]] = layer.state[run[may]]
        self.detail[piece[may]] = layer.detail[run[may]]

    def gaps(self) -> Runs:
        """The pieces of absent candles."""
        pieces = Runs(self.cuts[:-1], self.cuts[1:], self.state[:-1], self.detail[:-1])
        return pieces.take(pieces.state > PRESENT)


def _merged(pieces: Runs, ends: Ends, shortest: Ints, shift: int) -> Runs:
    series = pieces.start >> shift
    is_beyond = (pieces.start > ends.last[series]) | (pieces.end <= ends.first[series])
    is_quiet = (pieces.state == EMPTY) & is_beyond
    runs, run = _joined(pieces, pieces.state * 2 + is_quiet)
    is_long = (runs.end - runs.start >= shortest[runs.start >> shift])[run]
    state = np.where(is_quiet & is_long, GONE, pieces.state)
    return _joined(pieces._replace(state=state), state)[0]


def _joined(pieces: Runs, kind: Ints) -> tuple[Runs, Ints]:
    """Neighbours of the same kind as one, with the newest detail; and the run of each piece."""
    if len(pieces.start) == 0:
        return pieces, pieces.start
    is_first = np.ones(len(kind), bool)
    is_first[1:] = (pieces.start[1:] != pieces.end[:-1]) | (kind[1:] != kind[:-1])
    first = np.flatnonzero(is_first)
    last = np.append(first[1:], len(kind)) - 1
    details = np.maximum.reduceat(pieces.detail, first)
    runs = Runs(pieces.start[first], pieces.end[last], pieces.state[first], details)
    return runs, np.cumsum(is_first) - 1
