"""Calendars: which candles are expected to be there, and arithmetic on their numbers.

The expected candles of an asset and timeframe are numbered in the order of their opening times, so
that hours when the market is closed vanish: the last candle of a day and the first of the next one
are neighbours. A candle of the UTC grid is expected if [t, t + step) overlaps a trading session.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lakehouse.errors import InvalidSetting
from lakehouse.places import config_file
from lakehouse.settings import Settings
from lakehouse.timeframes import EPOCH, step

Ints = NDArray[np.int64]
MICROSECOND = timedelta(microseconds=1)
ALWAYS_OPEN = "24/7"
# Sessions are known from here on; there are no gaps before.
FIRST_DAY = "1990-01-01"
FIRST_MICROS = (datetime(1900, 1, 1, tzinfo=UTC) - EPOCH) // MICROSECOND
LAST_MICROS = (datetime(2200, 1, 1, tzinfo=UTC) - EPOCH) // MICROSECOND


def micros(moment: datetime) -> int:
    """Microseconds since the epoch."""
    return (moment - EPOCH) // MICROSECOND


def moment_of(microseconds: int) -> datetime:
    return EPOCH + microseconds * MICROSECOND


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """The expected candles of a timeframe on a calendar. Times are microseconds since the epoch.

    They come in stretches without a break on the UTC grid: `starts` are the grid numbers
    (t // step) at which these begin, `before` how many candles there are before each, and one more
    at the end: all.
    """

    step: int
    starts: Ints
    before: Ints

    def indexes(self, times: Ints) -> Ints:
        """The number of the first expected candle that opens at or after each time."""
        grid = -(-times // self.step)
        stretch = np.maximum(np.searchsorted(self.starts, grid, side="right") - 1, 0)
        within = np.clip(grid - self.starts[stretch], 0, np.diff(self.before)[stretch])
        return np.asarray(self.before[stretch] + within, np.int64)

    def times(self, indexes: Ints) -> Ints:
        """The opening times of the candles of these numbers."""
        stretch = np.searchsorted(self.before[:-1], indexes, side="right") - 1
        return np.asarray((self.starts[stretch] + indexes - self.before[stretch]) * self.step)

    def index(self, moment: datetime) -> int:
        """The number of the first expected candle that opens at `moment` or later."""
        return int(self.indexes(np.array([micros(moment)]))[0])

    def opening(self, index: int) -> datetime:
        """The opening time of the candle of that number."""
        return moment_of(int(self.times(np.array([index]))[0]))

    def count(self, start: datetime, end: datetime) -> int:
        """How many expected candles open in [start, end)."""
        return max(0, self.index(end) - self.index(start))

    def openings(self, start: datetime, end: datetime) -> list[datetime]:
        """When the expected candles open that do so in [start, end), ascending."""
        numbers = np.arange(self.index(start), max(self.index(start), self.index(end)))
        return [moment_of(time) for time in self.times(numbers).tolist()]


def grid_of(settings: Settings, asset_pair: str, timeframe: str) -> Grid:
    """The grid of that asset and timeframe; an asset without an entry trades round the clock.

    Raises UnknownTimeframe, or InvalidSetting where the asset's calendar is not known.
    """
    asset = settings.assets.get(asset_pair)
    calendar = asset.calendar if asset else ALWAYS_OPEN
    try:
        return grid(calendar, timeframe)
    except UnknownCalendar as error:
        name = f"assets.{asset_pair}.calendar"
        raise InvalidSetting(name=name, problem=str(error), where=config_file()) from None


def expected_count(
    settings: Settings, asset_pair: str, timeframe: str, start: datetime, end: datetime
) -> int:
    """How many candles that are expected open in [start, end). Raises as `grid_of` does."""
    return grid_of(settings, asset_pair, timeframe).count(start, end)


class UnknownCalendar(Exception):
    """There is no calendar of that name."""


@lru_cache(maxsize=256)
def grid(calendar: str, timeframe: str) -> Grid:
    """The grid of a timeframe on the calendar of that name.

    Raises UnknownTimeframe, UnknownCalendar.
    """
    length = step(timeframe) // MICROSECOND
    opens, closes = _sessions(calendar)
    first, last = opens // length, -(-closes // length)
    # A long candle may overlap several sessions; it is one candle all the same.
    first[1:] = np.maximum(first[1:], last[:-1])
    counts = last - first
    is_any = counts > 0
    before = np.concatenate([[0], np.cumsum(counts[is_any])]).astype(np.int64)
    return Grid(length, first[is_any], before)


@lru_cache(maxsize=64)
def _sessions(calendar: str) -> tuple[Ints, Ints]:
    """When the market opens and closes, ascending; a break for lunch closes it, too."""
    if calendar == ALWAYS_OPEN:
        return np.array([FIRST_MICROS], np.int64), np.array([LAST_MICROS], np.int64)
    import exchange_calendars
    from exchange_calendars.errors import InvalidCalendarName

    try:
        try:
            schedule = exchange_calendars.get_calendar(calendar, start=FIRST_DAY).schedule
        except ValueError:  # one that is known from a later day on only
            schedule = exchange_calendars.get_calendar(calendar).schedule
    except InvalidCalendarName:
        problem = f"there is no calendar {calendar}; 24/7, 24/5 and exchanges such as XNYS are"
        raise UnknownCalendar(problem) from None
    columns = {
        name: schedule[name].dt.as_unit("us").astype("int64").to_numpy(copy=True)
        for name in ("open", "break_start", "break_end", "close")
    }
    has_break = schedule["break_start"].notna().to_numpy()
    morning_end = np.where(has_break, columns["break_start"], columns["close"])
    opens = np.concatenate([columns["open"], columns["break_end"][has_break]])
    closes = np.concatenate([morning_end, columns["close"][has_break]])
    order = np.argsort(opens, kind="stable")
    return opens[order], closes[order]
