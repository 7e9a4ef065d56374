"""Filling gaps: who is asked for which of them, in which order, and what became of each.

One provider is asked first, for what it was never asked or failed at; what is still absent then is
asked of the others, one after the other, each at most once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from lakehouse import ops
from lakehouse.backfill.plan import Batch, batches_of
from lakehouse.backfill.progress import Interval
from lakehouse.backfill.request import BackfillRequest, parse_length
from lakehouse.gaps import (
    DELISTED,
    NO_TRADE,
    NOT_FETCHED,
    OUTAGE,
    REJECTED,
    Gap,
    Scope,
    View,
    views_of,
)
from lakehouse.gaps.spans import Span, common, joined, size, without
from lakehouse.settings import Settings
from lakehouse.sources import SIMULATED, asking_order, has_timeframe, is_set_up
from lakehouse.timeframes import step

# That nobody traded is an answer; there is nothing to fill.
FILLABLE = (NOT_FETCHED, OUTAGE, REJECTED, DELISTED)
REASONS = {
    NOT_FETCHED: "there is nobody to ask for it",
    OUTAGE: "the source failed",
    REJECTED: "the gate refused it; it is in the dead letters",
    DELISTED: "nobody who was asked has candles that early or that late",
}
OTHER_KIND = "only {0} was ever asked for it: name it with --provider"
Pair = tuple[str, str]  # asset_pair, timeframe


@dataclass(frozen=True, slots=True)
class FillRequest:
    """Which gaps are to be filled, by class, and who is asked first."""

    scope: Scope
    provider: str
    classes: tuple[str, ...] = FILLABLE


@dataclass(frozen=True, slots=True)
class Filled:
    """What became of the gaps of an asset and timeframe.

    `by_provider` counts the candles each one filled, `no_trade` those of which it is known now that
    nobody traded. What is left is still absent, for the reason beside it.
    """

    asset_pair: str
    timeframe: str
    by_provider: dict[str, int]
    no_trade: int
    left: list[tuple[Gap, str]]


class Filling:
    """The gaps of a request while they are filled.

    `order` is who may be asked, `asked` who was. Candles of the simulated exchange fill no gaps of
    real ones, nor the other way round, so each kind has its own view of what is absent.
    """

    def __init__(self, settings: Settings, request: FillRequest) -> None:
        self.settings = settings
        self.request = request
        first, *others = asking_order(settings, request.provider)
        self.order = [first, *(name for name in others if is_set_up(settings, name))]
        self.asked: list[str] = []
        self._views = self._look(request.scope)
        self._targets = {
            pair: wanted
            for pair, view in self._views.items()
            if (wanted := view.absent_as(_fillable(request)))
        }
        self._absent = dict(self._targets)
        self._filled: dict[Pair, Counter[str]] = {pair: Counter() for pair in self._targets}

    def plan(self, provider: str, run_id: str) -> tuple[BackfillRequest, list[Batch]]:
        """What this provider is asked for now; nothing if it is no use."""
        window = parse_length(self.settings.backfill.window)
        batches = [
            batch
            for pair in sorted(self._targets, key=lambda pair: (pair[0], -step(pair[1])))
            for batch in batches_of(run_id, pair, provider, self._pieces(pair, provider), window)
        ]
        return _request(self.settings, provider, batches), batches

    def look_again(self, provider: str) -> None:
        """See what is absent now that this provider was asked."""
        self.asked.append(provider)
        pairs = list(self._targets)
        scope = replace(
            self.request.scope,
            assets=tuple({asset_pair for asset_pair, _ in pairs}),
            timeframes=tuple({timeframe for _, timeframe in pairs}),
        )
        self._views |= self._look(scope) if pairs else {}
        for pair in pairs:
            everything = joined(claim.span for claim in self._views[pair].absent)
            absent = common(self._absent[pair], everything)
            self._filled[pair][provider] += size(self._absent[pair]) - size(absent)
            self._absent[pair] = absent

    def suppose(self, provider: str) -> None:
        """Go on as if this provider gave all that it is asked for."""
        for pair in self._targets:
            given = self._spans(pair, provider)
            self._absent[pair] = without(self._absent[pair], given)

    def report(self) -> list[Filled]:
        """What became of the gaps, by asset and timeframe."""
        return [*(self._filled_of(pair) for pair in self._targets), *self._of_the_other_kind()]

    def _look(self, scope: Scope) -> dict[Pair, View]:
        is_simulated = self.request.provider == SIMULATED
        kind = [name for name in self.settings.providers if (name == SIMULATED) == is_simulated]
        return _by_pair(views_of(self.settings, scope, kind))

    def _spans(self, pair: Pair, provider: str) -> list[Span]:
        view = self._views[pair]
        if not has_timeframe(self.settings, provider, view.timeframe):
            return []
        absent = common(self._absent[pair], view.absent_as(FILLABLE))
        return common(absent, view.unanswered_by(provider))

    def _pieces(self, pair: Pair, provider: str) -> list[Interval]:
        spans = self._spans(pair, provider)
        return [times for span in spans for times in self._views[pair].open_times(span)]

    def _filled_of(self, pair: Pair) -> Filled:
        view, target = self._views[pair], self._targets[pair]
        return Filled(
            *pair,
            by_provider={name: count for name, count in self._filled[pair].items() if count},
            no_trade=size(common(target, view.absent_as([NO_TRADE]))),
            left=[
                (gap, gap.detail or REASONS[gap.gap_class])
                for gap in view.gaps(common(target, view.absent_as(FILLABLE)))
            ],
        )

    def _of_the_other_kind(self) -> list[Filled]:
        """Gaps of assets and timeframes that only providers of the other kind are known to have."""
        everything = _by_pair(views_of(self.settings, self.request.scope))
        return [
            Filled(*pair, {}, 0, [(gap, OTHER_KIND.format(gap.provider)) for gap in gaps])
            for pair, view in everything.items()
            if pair not in self._views
            and (gaps := view.gaps(view.absent_as(_fillable(self.request))))
        ]


def _fillable(request: FillRequest) -> set[str]:
    return set(request.classes) & set(FILLABLE)


def _by_pair(found: Iterable[View]) -> dict[Pair, View]:
    return {(view.asset_pair, view.timeframe): view for view in found}


def _request(settings: Settings, provider: str, batches: Sequence[Batch]) -> BackfillRequest:
    return BackfillRequest(
        assets=tuple(dict.fromkeys(batch.asset_pair for batch in batches)),
        timeframes=tuple(dict.fromkeys(batch.timeframe for batch in batches)),
        provider=provider,
        start=min((batch.start for batch in batches), default=None),
        end=max((batch.end for batch in batches), default=ops.now()),
        window=parse_length(settings.backfill.window),
        concurrency=settings.backfill.concurrency,
        is_fill=True,
    )
