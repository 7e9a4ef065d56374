"""Running a backfill: fetch in parallel, land what is fetched, note what is landed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, as_completed, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import Any, Protocol

import structlog

from lakehouse.arrivals import Arrivals
from lakehouse.backfill import progress
from lakehouse.backfill.handover import Ready, hand_over, handed_over
from lakehouse.backfill.lessons import lessons_of
from lakehouse.backfill.plan import Batch
from lakehouse.errors import LakehouseError, SourceError
from lakehouse.gaps import grid_of, take_in
from lakehouse.gate import BatchVerdict, Gate
from lakehouse.landing import Lander, Landing
from lakehouse.landing_rows import LANDING_DDL
from lakehouse.outcomes import Recorder
from lakehouse.provenance import record_sources
from lakehouse.settings import Settings
from lakehouse.sources import Fetched, Sources

log = structlog.get_logger(__name__)

LAND_ROWS = 100_000
LAND_SECONDS = 10.0


class Watcher(Protocol):
    """Who is told how a backfill goes; see cli.progress for the one that draws it."""

    def on_page(self, batch: Batch, candles: int) -> None: ...
    def on_fetched(self, batch: Batch, fetched: Fetched) -> None: ...
    def on_failed(self, batch: Batch, error: LakehouseError) -> None: ...
    def on_landed(self, batches: list[Batch], landing: Landing) -> None: ...


@dataclass
class Result:
    """What a backfill did."""

    rows_fetched: int = 0
    rows_new: int = 0
    rows_rejected: int = 0
    failures: list[tuple[Batch, LakehouseError]] = field(default_factory=list)
    quarantined: list[BatchVerdict] = field(default_factory=list)
    dead_letters: list[Path] = field(default_factory=list)


Pending = dict[Future[Ready], Batch]


@dataclass
class Backfill:
    """One run over a plan. `lander` is asked for once there is something to land, so that an
    engine can start while the first batches are fetched."""

    settings: Settings
    sources: Sources
    lander: Callable[[], Lander]
    watcher: Watcher
    recorder: Recorder
    concurrency: int
    result: Result = field(default_factory=Result)
    cancelled: Event = field(default_factory=Event)
    _failed: list[tuple[Batch, SourceError]] = field(default_factory=list)

    def run(self, plan: list[Batch]) -> Result:
        """Fetch and land every batch; what was fetched before and still waits is landed as it is.

        A source's failure is noted and the others go on; an engine's is raised."""
        return self._carry_out(plan, self._land_as_they_come)

    def fetch(self, plan: list[Batch]) -> Result:
        """Only fetch: the batches wait as landing files for a run of the same plan."""
        return self._carry_out(plan, self._leave_as_they_come)

    def _carry_out(self, plan: list[Batch], take: Callable[[Pending], None]) -> Result:
        for batch in plan:
            # A calendar that nobody knows must not come to light when all is fetched.
            grid_of(self.settings, batch.asset_pair, batch.timeframe)
        pool = ThreadPoolExecutor(self.concurrency, thread_name_prefix="fetch")
        try:
            take({pool.submit(self._fetch, batch): batch for batch in plan})
        finally:
            self.cancelled.set()
            pool.shutdown(wait=False, cancel_futures=True)
            self._note([], None)
            self.recorder.flush()
        return self.result

    def _leave_as_they_come(self, pending: Pending) -> None:
        for future in as_completed(pending):
            if item := self._taken(future, pending[future]):
                self.result.rows_fetched += item.rows

    def _land_as_they_come(self, pending: Pending) -> None:
        ready: list[Ready] = []
        since = time.monotonic()
        while pending:
            done, _ = wait(pending, timeout=1, return_when=FIRST_COMPLETED)
            ready += [item for future in done if (item := self._taken(future, pending.pop(future)))]
            is_enough = sum(item.rows for item in ready) >= LAND_ROWS
            is_late = time.monotonic() - since > LAND_SECONDS
            if ready and (is_enough or is_late or not pending):
                self._land(ready)
                ready, since = [], time.monotonic()

    def _taken(self, future: Future[Ready], batch: Batch) -> Ready | None:
        try:
            return future.result()
        except SourceError as error:
            self.result.failures.append((batch, error))
            self.watcher.on_failed(batch, error)
            self._failed.append((batch, error))
            return None

    def _fetch(self, batch: Batch) -> Ready:
        if waiting := handed_over(self.settings, batch):
            return waiting
        with self.recorder.noted("fetch", f"{batch.asset_pair} {batch.timeframe}") as outcome:
            fetched = self.sources.fetch(
                batch.provider,
                batch.request,
                on_page=lambda candles: self.watcher.on_page(batch, candles),
                cancelled=self.cancelled,
            )
            outcome.rows_out = len(fetched.candles)
        fetched = replace(fetched, candles=batch.asked_for(fetched.candles))
        self.watcher.on_fetched(batch, fetched)
        return hand_over(self.settings, batch, fetched)

    def _land(self, ready: list[Ready]) -> None:
        lander = self.lander()
        files = [str(item.file) for item in ready]
        frame = lander.session.read.schema(LANDING_DDL).parquet(*files)
        landing = lander.land(frame, Gate("bronze.raw_market_data", self.settings))
        self._count(ready, landing)
        self._note(ready, landing)
        lander.recorder.flush()
        self.watcher.on_landed([item.batch for item in ready], landing)
        for item in ready:
            item.file.unlink(missing_ok=True)

    def _count(self, ready: list[Ready], landing: Landing) -> None:
        self.result.rows_fetched += sum(item.rows for item in ready)
        self.result.rows_new += landing.rows_new
        self.result.rows_rejected += sum(verdict.rejected for verdict in landing.verdicts)
        self.result.dead_letters += landing.dead_letters
        self.result.quarantined += landing.quarantined

    def _note(self, ready: list[Ready], landing: Landing | None) -> None:
        """Note what landed, and what failed since the last time.

        What is noted as landed is never taken again, so that comes after all other notes.
        """
        failed, self._failed = self._failed, []
        arrivals = landing.arrivals if landing else Arrivals([], [])
        facts = lessons_of(ready, arrivals.arrivals, failed)
        take_in(self.settings, self.recorder, facts)
        record_sources(self.settings, self.recorder.run_id, arrivals.shares)
        refetched = _refetched(landing) if landing else {}
        attempts = [*_failures(failed), *_landings(ready, refetched)]
        if attempts:
            progress.record(self.settings, attempts)


def _failures(failed: list[tuple[Batch, SourceError]]) -> Iterator[dict[str, Any]]:
    for batch, error in failed:
        for window in batch.windows:
            yield _attempt(batch, window, status="failed", error=str(error))


def _landings(ready: list[Ready], refetched: dict[str, str]) -> Iterator[dict[str, Any]]:
    for item in ready:
        status = refetched.get(item.batch.batch_id, "landed")
        counts = zip(item.batch.windows, item.rows_by_window, strict=True)
        for window, rows in counts:
            yield _attempt(
                item.batch, window, status=status, served_by=item.served_by, rows_fetched=rows
            )


def _refetched(landing: Landing) -> dict[str, str]:
    """By batch_id, the status of batches that the next run fetches again: those that were
    quarantined, those without one good row, and all with bad rows of an asset whose source was so
    bad that it was quarantined elsewhere."""
    doubtful = {verdict.asset_pair for verdict in landing.quarantined}
    return {
        verdict.batch_id: "quarantined" if verdict.is_quarantined else "rejected"
        for verdict in landing.verdicts
        if verdict.is_quarantined
        or (
            verdict.rejected
            and (verdict.rejected == verdict.rows or verdict.asset_pair in doubtful)
        )
    }


def _attempt(batch: Batch, window: progress.Interval, **facts: Any) -> dict[str, Any]:
    return {
        "asset_pair": batch.asset_pair,
        "timeframe": batch.timeframe,
        "provider": batch.provider,
        "window_start": window[0],
        "window_end": window[1],
        "batch_id": batch.batch_id,
        "run_id": batch.run_id,
        **facts,
    }
