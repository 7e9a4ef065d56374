"""One view of an asset and timeframe out of what the ledger knows of each of its providers.

A candle that any provider has is present. Of one that none has, the best that is known counts.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from lakehouse.gaps.calendars import Grid
from lakehouse.gaps.reading import (
    DELISTED,
    NO_TRADE,
    NOT_FETCHED,
    OUTAGE,
    REJECTED,
    Gap,
    Horizon,
)
from lakehouse.gaps.spans import Span, common, joined, without
from lakehouse.timeframes import step

# An answer of any source is worth more than a broken row, and that more than no answer.
BEST_FIRST = (NO_TRADE, DELISTED, REJECTED, OUTAGE, NOT_FETCHED)


class Claim(NamedTuple):
    """What the ledger says of the candles of a span."""

    span: Span
    gap: Gap


@dataclass(frozen=True, slots=True)
class View:
    """An asset and timeframe within `whole`, as numbers of its `grid`.

    `claims` are the absent candles of each provider that is known, in order; `absent` are those
    that no provider has.
    """

    asset_pair: str
    timeframe: str
    grid: Grid
    whole: Span
    claims: Mapping[str, Sequence[Claim]]
    absent: Sequence[Claim]

    def gaps(self, within: Sequence[Span] | None = None) -> list[Gap]:
        """The runs of absent candles as gaps, in order; `within` keeps to parts of them."""
        kept = [self.whole] if within is None else within
        return [
            self._gap(span, claim.gap)
            for claim in self.absent
            for span in common([claim.span], kept)
        ]

    def absent_as(self, classes: Iterable[str]) -> list[Span]:
        """The candles that no provider has, of these classes."""
        return _of_class(self.absent, classes)

    def unanswered_by(self, provider: str) -> list[Span]:
        """What this provider was never asked for, or failed at."""
        if provider not in self.claims:
            return [self.whole]
        return _of_class(self.claims[provider], (NOT_FETCHED, OUTAGE))

    def times(self, span: Span) -> tuple[datetime, datetime]:
        """When the first candle of the span opens and the last one closes."""
        last = self.grid.opening(span[1] - 1)
        return self.grid.opening(span[0]), last + step(self.timeframe)

    def open_times(self, span: Span) -> list[tuple[datetime, datetime]]:
        """The same without the hours when the market is closed."""
        opened = self.grid.times(np.arange(*span))
        pauses = (span[0] + 1 + np.flatnonzero(np.diff(opened) > self.grid.step)).tolist()
        return [self.times(part) for part in pairwise((span[0], *pauses, span[1]))]

    def _gap(self, span: Span, gap: Gap) -> Gap:
        start, end = self.times(span)
        return replace(gap, start=start, end=end, candles=span[1] - span[0])


def view_of(grid: Grid, whole: Span, horizons: Sequence[Horizon], gaps: Iterable[Gap]) -> View:
    """The view of the asset and timeframe that these belong to.

    The horizons are in the order in which providers are believed.
    """
    own: dict[str, list[Gap]] = {horizon.provider: [] for horizon in horizons}
    for gap in gaps:
        own.setdefault(gap.provider, []).append(gap)
    claims = {h.provider: _claims(grid, whole, h, own[h.provider]) for h in horizons}
    series = horizons[0].asset_pair, horizons[0].timeframe
    return View(*series, grid, whole, claims, _absent(whole, claims))


def _claims(grid: Grid, whole: Span, horizon: Horizon, gaps: Sequence[Gap]) -> list[Claim]:
    """What a provider lacks of `whole`; of what lies beyond its horizon it was never asked."""
    known = grid.index(horizon.known_from), grid.index(horizon.known_to)
    spans = [(grid.index(gap.start), grid.index(gap.end)) for gap in gaps]
    said = [
        Claim(within, gap)
        for span, gap in zip(spans, gaps, strict=True)
        for within in common([span], [whole])
    ]
    beyond = [Claim(span, _unasked(horizon)) for span in without([whole], [known])]
    return sorted([*said, *beyond], key=lambda claim: claim.span)


def _unasked(horizon: Horizon) -> Gap:
    return Gap(
        *horizon.series,
        start=horizon.known_from,
        end=horizon.known_to,
        gap_class=NOT_FETCHED,
        candles=0,
        detail="",
        recorded_at=horizon.updated_at,
    )


def _absent(whole: Span, claims: Mapping[str, Sequence[Claim]]) -> list[Claim]:
    rest = [whole]
    for said in claims.values():
        rest = common(rest, joined(claim.span for claim in said))
    found: list[Claim] = []
    for gap_class in BEST_FIRST:
        for said in claims.values():
            of_class = [claim for claim in said if claim.gap.gap_class == gap_class]
            found += _overlaps(of_class, rest)
            rest = without(rest, joined(claim.span for claim in of_class))
    return _merged(sorted(found, key=lambda claim: claim.span))


def _overlaps(claims: Sequence[Claim], rest: Sequence[Span]) -> list[Claim]:
    """What the claims say of the rest."""
    starts = [first for first, _ in rest]
    found: list[Claim] = []
    for span, gap in claims:
        place = max(bisect_right(starts, span[0]) - 1, 0)
        while place < len(rest) and rest[place][0] < span[1]:
            found += [Claim(piece, gap) for piece in common([span], [rest[place]])]
            place += 1
    return found


def _merged(claims: Iterable[Claim]) -> list[Claim]:
    """Neighbours that say the same of the same provider become one."""
    found: list[Claim] = []
    for claim in claims:
        if found and found[-1].span[1] == claim.span[0] and _same(found[-1].gap, claim.gap):
            found[-1] = Claim((found[-1].span[0], claim.span[1]), found[-1].gap)
        else:
            found.append(claim)
    return found


def _same(one: Gap, other: Gap) -> bool:
    said, again = ((gap.provider, gap.gap_class, gap.detail) for gap in (one, other))
    return said == again


def _of_class(claims: Iterable[Claim], classes: Iterable[str]) -> list[Span]:
    return joined(claim.span for claim in claims if claim.gap.gap_class in classes)
