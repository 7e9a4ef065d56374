"""Coverage: how much of what should be there is there, for each asset and timeframe."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from lakehouse import ops
from lakehouse.errors import InvalidWindow
from lakehouse.gaps.calendars import grid_of
from lakehouse.gaps.reading import (
    DELISTED,
    NO_TRADE,
    NOT_FETCHED,
    OUTAGE,
    REJECTED,
    Gap,
    Horizon,
    read_coverage,
    read_gaps,
)
from lakehouse.gaps.views import View, view_of
from lakehouse.settings import Settings
from lakehouse.timeframes import floor, step

DAY = timedelta(days=1)
HUNDREDTHS = 10_000  # of a percent in a whole
Pair = tuple[str, str]  # asset_pair, timeframe


@dataclass(frozen=True, slots=True)
class Scope:
    """Which assets and timeframes are looked at (none named: all), and from when to when, UTC.

    Without `start` it is from the first time known, without `end` to the later of the last time
    known and the last midnight before `now`.
    """

    assets: tuple[str, ...] = ()
    timeframes: tuple[str, ...] = ()
    start: datetime | None = None
    end: datetime | None = None
    now: datetime | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """How many candles of an asset and timeframe are expected to open in [start, end), and what is
    known of them, over all providers."""

    asset_pair: str
    timeframe: str
    start: datetime
    end: datetime
    expected: int
    gaps: list[Gap]

    @property
    def present(self) -> int:
        return self.expected - sum(gap.candles for gap in self.gaps)

    @property
    def no_trade(self) -> int:
        return self._of(NO_TRADE)

    @property
    def rejected(self) -> int:
        return self._of(REJECTED)

    @property
    def outage(self) -> int:
        return self._of(OUTAGE)

    @property
    def not_fetched(self) -> int:
        return self._of(NOT_FETCHED)

    @property
    def delisted(self) -> int:
        return self._of(DELISTED)

    @property
    def coverage_percent(self) -> float:
        """(present + no_trade) / (expected - delisted): a candle of which it is known that nobody
        traded is not missing. Cut off after two digits, so that 100 means that none is."""
        wanted = self.expected - self.delisted
        known = self.present + self.no_trade
        return known * HUNDREDTHS // wanted / 100 if wanted else 100.0

    def _of(self, gap_class: str) -> int:
        return sum(gap.candles for gap in self.gaps if gap.gap_class == gap_class)


def make_scope(
    settings: Settings,
    *,
    assets: Sequence[str] = (),
    timeframes: Sequence[str] = (),
    start: datetime | None = None,
    end: datetime | None = None,
    now: datetime | None = None,
) -> Scope:
    """A checked scope. Raises UnknownAsset, UnknownTimeframe or InvalidWindow."""
    for asset_pair in assets:
        settings.asset(asset_pair)
    for timeframe in timeframes:
        step(timeframe)
    if start and end and start >= end:
        raise InvalidWindow(problem=f"it ends ({end:%Y-%m-%dT%H:%M}) before it starts")
    return Scope(tuple(assets), tuple(timeframes), start, end, now or ops.now())


def summarise(
    settings: Settings, scope: Scope, providers: Collection[str] | None = None
) -> list[Summary]:
    """A summary of each asset and timeframe known in the scope, by asset and length.

    `providers` are those whose candles count; None: all. Raises InvalidSetting where an asset's
    calendar is not known.
    """
    return [_summary(view) for view in views_of(settings, scope, providers)]


def views_of(
    settings: Settings, scope: Scope, providers: Collection[str] | None = None
) -> list[View]:
    """What `summarise` sums up: each asset and timeframe of which a candle is expected."""
    wanted = scope.assets or None, scope.timeframes or None, providers
    gaps: dict[Pair, list[Gap]] = defaultdict(list)
    for gap in read_gaps(settings, *wanted):
        gaps[gap.asset_pair, gap.timeframe].append(gap)
    horizons = sorted(read_coverage(settings, *wanted), key=_pair)
    found = (
        _view(settings, scope, list(of_pair), gaps[pair])
        for pair, of_pair in groupby(horizons, key=_pair)
    )
    shown = (view for view in found if view)
    return sorted(shown, key=lambda view: (view.asset_pair, step(view.timeframe)))


def _pair(horizon: Horizon) -> Pair:
    return horizon.asset_pair, horizon.timeframe


def _view(
    settings: Settings, scope: Scope, horizons: list[Horizon], gaps: list[Gap]
) -> View | None:
    grid = grid_of(settings, *_pair(horizons[0]))
    start = max(_moments(scope.start, min(horizon.known_from for horizon in horizons)))
    midnight = floor(scope.now or ops.now(), DAY)
    last = max(midnight, *(horizon.known_to for horizon in horizons))
    whole = grid.index(start), grid.index(min(_moments(scope.end, last)))
    if whole[0] >= whole[1]:
        return None
    believed = {name: place for place, name in enumerate(settings.provider_preference)}
    horizons.sort(key=lambda horizon: believed.get(horizon.provider, len(believed)))
    return view_of(grid, whole, horizons, gaps)


def _moments(*given: datetime | None) -> Iterator[datetime]:
    return (moment for moment in given if moment)


def _summary(view: View) -> Summary:
    first, last = view.whole
    start, end = view.times(view.whole)
    pair = view.asset_pair, view.timeframe
    return Summary(*pair, start, end, last - first, view.gaps())
