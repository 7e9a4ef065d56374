"""Lessons: what a run's windows teach the gap ledger, those that landed and those that failed."""

from __future__ import annotations

from collections.abc import Iterable

from lakehouse.arrivals import Arrival
from lakehouse.backfill.failures import Failure, failures_of
from lakehouse.backfill.handover import Ready
from lakehouse.backfill.plan import Batch
from lakehouse.errors import SourceError
from lakehouse.gaps import NO_TRADE, REJECTED, Facts, Window


def lessons_of(
    landed: Iterable[Ready],
    arrivals: Iterable[Arrival],
    failed: Iterable[tuple[Batch, SourceError]] = (),
) -> Facts:
    """What the ledger learns of batches that landed, with what arrived, and of those that failed.

    What a provider served counts for it, whoever was asked first.
    """
    facts = Facts()
    by_batch = {arrival.batch_id: arrival for arrival in arrivals}
    for item in landed:
        _learn_answer(facts, item, by_batch.get(item.batch.batch_id))
        _learn_failures(facts, item.batch, item.failures)
    for batch, error in failed:
        _learn_failures(facts, batch, failures_of([error], batch.provider))
    return facts


def _learn_answer(facts: Facts, item: Ready, arrival: Arrival | None) -> None:
    """A candle that is absent from an answer had no trade, unless it may be a row without time."""
    batch, lost = item.batch, arrival.untimed if arrival else ""
    series = batch.asset_pair, batch.timeframe, item.served_by
    gap_class = REJECTED if lost else NO_TRADE
    for start, end in batch.windows:
        facts.windows.append(Window(series, start, end, gap_class, True, lost))
    if arrival:
        facts.add(arrival.candles, arrival.refused)


def _learn_failures(facts: Facts, batch: Batch, failures: Iterable[Failure]) -> None:
    for failure in failures:
        facts.windows.extend(
            failure.windows(
                batch.asset_pair,
                batch.timeframe,
                batch.windows,
                was_chosen=failure.provider == batch.provider,
            )
        )
