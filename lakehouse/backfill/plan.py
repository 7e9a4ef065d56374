"""The plan of a backfill: which windows are missing, and in which calls they are fetched."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from lakehouse.backfill.progress import Interval, Series, subtract
from lakehouse.backfill.request import BackfillRequest
from lakehouse.settings import Settings
from lakehouse.sources import CandleRequest, RawCandle
from lakehouse.timeframes import ceil, expected_candles, floor, step

# One batch is fetched, gated and landed as a whole; it bounds what a crash costs to fetch again.
MAX_CANDLES = 20_000
# Windows no farther apart are asked for in one go: it is the smallest page that a provider has.
NEAR_CANDLES = 300


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows of one asset and timeframe, in order: adjacent ones, or those of near gaps."""

    run_id: str
    asset_pair: str
    timeframe: str
    provider: str
    windows: tuple[Interval, ...]

    @property
    def start(self) -> datetime:
        return self.windows[0][0]

    @property
    def end(self) -> datetime:
        return self.windows[-1][1]

    @property
    def batch_id(self) -> str:
        """The same for the same work of the same run, so that its dead letters are written once."""
        identity = f"{self.run_id} {self.asset_pair} {self.timeframe} {self.start} {self.end}"
        return hashlib.sha256(identity.encode()).hexdigest()[:16]

    @property
    def request(self) -> CandleRequest:
        return CandleRequest(self.asset_pair, self.timeframe, self.start, self.end)

    @property
    def expected(self) -> int:
        return sum(expected_candles(self.timeframe, *window) for window in self.windows)

    def asked_for(self, candles: Iterable[RawCandle]) -> list[RawCandle]:
        """Those that open in a window, and those without a time, which the gate names."""
        starts = [start for start, _ in self.windows]

        def is_inside(moment: datetime) -> bool:
            place = bisect_right(starts, moment) - 1
            return place >= 0 and moment < self.windows[place][1]

        return [c for c in candles if c.timestamp is None or is_inside(c.timestamp)]


def make_plan(
    settings: Settings,
    request: BackfillRequest,
    run_id: str,
    landed: dict[Series, list[Interval]],
) -> list[Batch]:
    """The batches still to fetch, asset by asset, coarse timeframes first."""
    return [
        Batch(run_id, asset_pair, timeframe, request.provider, windows)
        for asset_pair in request.assets
        for timeframe in sorted(request.timeframes, key=step, reverse=True)
        for piece in _missing(settings, request, timeframe, landed.get((asset_pair, timeframe), []))
        for windows in _grouped(_windows(piece, request.window), timeframe)
    ]


def batches_of(
    run_id: str, series: Series, provider: str, pieces: Iterable[Interval], window: timedelta
) -> list[Batch]:
    """The batches that fetch these pieces of a series, in order; near ones share a batch."""
    windows = (piece for whole in pieces for piece in _windows(whole, window))
    asset_pair, timeframe = series
    return [
        Batch(run_id, asset_pair, timeframe, provider, group)
        for group in _grouped(windows, timeframe)
    ]


def _missing(
    settings: Settings, request: BackfillRequest, timeframe: str, landed: list[Interval]
) -> list[Interval]:
    length = step(timeframe)
    # The candle that contains `end` is still open at that time.
    end = floor(request.end, length)
    default = floor(request.end, timedelta(days=1)) - timedelta(days=settings.backfill.days)
    start = request.start or (landed[0][0] if landed else default)
    return subtract((ceil(start, length), end), landed)


def _windows(piece: Interval, window: timedelta) -> Iterator[Interval]:
    start, end = piece
    while start < end:
        stop = min(floor(start, window) + window, end)
        yield start, stop
        start = stop


def _grouped(windows: Iterator[Interval], timeframe: str) -> Iterator[tuple[Interval, ...]]:
    group: list[Interval] = []
    for window in windows:
        if group and not _go_together(group[0], group[-1], window, timeframe):
            yield tuple(group)
            group = []
        group.append(window)
    if group:
        yield tuple(group)


def _go_together(first: Interval, last: Interval, window: Interval, timeframe: str) -> bool:
    is_near = expected_candles(timeframe, last[1], window[0]) <= NEAR_CANDLES
    return is_near and expected_candles(timeframe, first[0], window[1]) <= MAX_CANDLES
