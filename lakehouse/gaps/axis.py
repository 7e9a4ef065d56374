"""The axis: the expected candles of all series of a landing, as numbers on one line.

Each series has a stretch of its own, far from the others, so that what is true of numbers is
computed for all series at once: neighbours are candles that follow each other in one series.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from lakehouse.gaps.calendars import Grid, Ints, grid_of
from lakehouse.gaps.reading import Series
from lakehouse.settings import Settings

SHIFT = 40  # a stretch holds 2**40 candles: two million years of minutes
LATEST, EARLIEST = np.iinfo(np.int64).max, np.iinfo(np.int64).min


class Reach(NamedTuple):
    """By series, in microseconds: a stretch of time [start, end), and the first and the last candle
    in it. LATEST and EARLIEST stand for none: the least, or greatest, of them and any time is that
    time."""

    start: Ints
    end: Ints
    first: Ints
    last: Ints

    @classmethod
    def nowhere(cls, series: int) -> Self:
        return cls(*(np.full(series, none) for none in (LATEST, EARLIEST, LATEST, EARLIEST)))

    def extended(self, other: Reach) -> Reach:
        """What either reaches."""
        return Reach(
            np.minimum(self.start, other.start),
            np.maximum(self.end, other.end),
            np.minimum(self.first, other.first),
            np.maximum(self.last, other.last),
        )


class Axis:
    """The series by their ordinal, and the way from their times to numbers and back.

    Raises what `grid_of` raises.
    """

    def __init__(self, settings: Settings, series: Sequence[Series]) -> None:
        self.series = list(series)
        self._ordinals = {one: ordinal for ordinal, one in enumerate(self.series)}
        grids = [grid_of(settings, asset_pair, timeframe) for asset_pair, timeframe, _ in series]
        self._grids: list[Grid] = list(dict.fromkeys(grids))
        number = {grid: index for index, grid in enumerate(self._grids)}
        self._grid = as_ints(number[grid] for grid in grids)
        self.steps = as_ints(grid.step for grid in grids)
        self.starts = np.arange(len(self.series), dtype=np.int64) << SHIFT
        self.ends = self.starts + (1 << SHIFT) - 1

    def ordinal(self, series: Series) -> int:
        return self._ordinals[series]

    def ordinals(self, series: Iterable[Series]) -> Ints:
        """Of each series; -1 where the axis does not have it."""
        return as_ints(self._ordinals.get(one, -1) for one in series)

    def numbers(self, ordinals: Ints, times: Ints) -> Ints:
        """The first expected candle of each series that opens at or after each time."""
        found = np.zeros(len(times), np.int64)
        for index, grid in enumerate(self._grids):
            chosen = self._grid[ordinals] == index
            found[chosen] = grid.indexes(times[chosen])
        return found + (ordinals << SHIFT)

    def times(self, numbers: Ints) -> Ints:
        """When the candles of these numbers open."""
        found = np.zeros(len(numbers), np.int64)
        which, within = self._grid[numbers >> SHIFT], numbers & ((1 << SHIFT) - 1)
        for index, grid in enumerate(self._grids):
            chosen = which == index
            found[chosen] = grid.times(within[chosen])
        return found

    def containing(self, ordinals: Ints, times: Ints) -> tuple[Ints, NDArray[np.bool_]]:
        """The candles of each series that contain these times, and whether they are expected."""
        steps = self.steps[ordinals]
        opened = times // steps * steps
        numbers = self.numbers(ordinals, opened)
        return numbers, self.times(numbers) == opened


def as_ints(values: Iterable[int]) -> Ints:
    return np.fromiter(values, np.int64)


def runs_of(numbers: Ints, details: Ints) -> tuple[Ints, Ints, Ints]:
    """Numbers in any order as half-open runs of one detail each: start, end and detail; those of
    higher details last."""
    order = np.lexsort((numbers, details))
    numbers, details = numbers[order], details[order]
    is_first = np.ones(len(numbers), bool)
    is_first[1:] = (np.diff(numbers) > 1) | (np.diff(details) != 0)
    first = np.flatnonzero(is_first)
    last = np.append(first[1:], len(numbers)) - 1 if len(numbers) else first
    return numbers[first], numbers[last] + 1, details[first]
