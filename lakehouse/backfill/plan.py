"""The plan of a backfill: which windows are missing, and in which calls they are fetched."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from lakehouse.backfill.progress import Interval, Series, subtract
from lakehouse.backfill.request import BackfillRequest
from lakehouse.settings import Settings
from lakehouse.sources import CandleRequest
from lakehouse.timeframes import ceil, expected_candles, floor, step

# One batch is fetched, gated and landed as a whole; it bounds what a crash costs to fetch again.
MAX_CANDLES = 20_000


@dataclass(frozen=True, slots=True)
class Batch:
    """Adjacent windows of one asset and timeframe."""

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
        return expected_candles(self.timeframe, self.start, self.end)


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
        start = group[0][0] if group else window[0]
        if group and expected_candles(timeframe, start, window[1]) > MAX_CANDLES:
            yield tuple(group)
            group = []
        group.append(window)
    if group:
        yield tuple(group)
