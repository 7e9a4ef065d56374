"""The main journey: from a request to trusted gold, for the command line, jobs and DAGs alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum

from pyspark.sql import SparkSession

from lakehouse import dbt_project, delta, gate
from lakehouse.arrivals import Arrivals
from lakehouse.backfill import (
    Backfill,
    BackfillRequest,
    Batch,
    Filling,
    FillRequest,
    Result,
    Watcher,
    landed_intervals,
    make_plan,
    runs,
)
from lakehouse.builds import Build, build, is_behind
from lakehouse.dead_letters import DeadLetter, Replay, replay
from lakehouse.engine import connect
from lakehouse.errors import NothingToResume
from lakehouse.exchange import ensure_exchange
from lakehouse.gaps import Facts, take_in
from lakehouse.landing import Lander, sweep
from lakehouse.outcomes import Recorder
from lakehouse.provenance import add_to_sources
from lakehouse.settings import Settings
from lakehouse.sources import Sources
from lakehouse.streams.rows import MESSAGE_SCHEMAS
from lakehouse.tables import table_named


class Start(Enum):
    """Where a backfill begins: at what is missing, where the last run stopped, or anew."""

    MISSING = "missing"
    RESUME = "resume"
    RESTART = "restart"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A backfill about to run."""

    run_id: str
    request: BackfillRequest
    plan: list[Batch]


@dataclass(frozen=True, slots=True)
class Done:
    """What a backfill did, and the build that followed it, if one did."""

    run_id: str
    result: Result
    build: Build | None

    @property
    def is_success(self) -> bool:
        return not self.result.failures and not self.result.quarantined


def sources_for(settings: Settings, request: BackfillRequest, *, is_dry: bool = False) -> Sources:
    """The providers' clients; the embedded exchange is started if calls to it will be made."""
    provider = settings.provider_named(request.provider)
    needs_exchange = request.provider == "simulated" and provider.base_url is None and not is_dry
    overrides = {"simulated": ensure_exchange(settings)} if needs_exchange else {}
    return Sources(settings, base_urls=overrides)


def prepare(
    settings: Settings,
    request: BackfillRequest,
    start: Start,
    *,
    provider: str | None = None,
    is_dry: bool = False,
    run_id: str | None = None,
) -> Prepared:
    """Plan the run without beginning it.

    `provider` of None resumes a run of any provider. `run_id` is what the run will be known as; an
    orchestrator gives it, so that what one task fetched is found by the next. Raises
    NothingToResume where no run is unfinished and the request does not say from when on.
    """
    is_like = _like(request, provider)
    if start is Start.RESUME:
        try:
            run_id, request = runs.last_unfinished(settings, is_like)
            return Prepared(run_id, request, _plan(settings, request, run_id))
        except NothingToResume:
            # A run may die before it notes that it began; what was asked for is known all the same.
            if not (request.assets and request.start):
                raise
    ignored = _abandoned(settings, is_like, is_dry) if start is Start.RESTART else None
    run_id = run_id or runs.new_run_id()
    return Prepared(run_id, request, _plan(settings, request, run_id, ignored))


Matches = Callable[[BackfillRequest], bool]


def _like(wanted: BackfillRequest, provider: str | None) -> Matches:
    return lambda found: (
        set(wanted.assets) <= set(found.assets)
        and provider in (None, found.provider)
        # What a fill did not get is still a gap: the next fill goes on with that.
        and not found.is_fill
    )


def _abandoned(settings: Settings, is_like: Matches, is_dry: bool) -> str | None:
    try:
        run_id, unfinished = runs.last_unfinished(settings, is_like)
    except NothingToResume:
        return None
    if not is_dry:
        runs.note(settings, run_id, "abandoned", unfinished)
    return run_id


def _plan(
    settings: Settings, request: BackfillRequest, run_id: str, ignored: str | None = None
) -> list[Batch]:
    def counts(landed_by: str) -> bool:
        # A forced run fetches everything again, but resumed, not what it fetched itself.
        return landed_by == run_id if request.is_forced else landed_by != ignored

    landed = landed_intervals(settings, request.provider, counts)
    return make_plan(settings, request, run_id, landed)


def fetch(settings: Settings, prepared: Prepared, watcher: Watcher) -> Result:
    """Only fetch; what is fetched waits for `run` with the same run_id. No engine is needed."""
    sweep(settings)

    def no_lander() -> Lander:
        raise AssertionError("unreachable: nothing is landed")

    recorder = Recorder(settings, prepared.run_id)
    return _backfill(settings, prepared, watcher, recorder, no_lander).fetch(prepared.plan)


def run(
    settings: Settings, prepared: Prepared, watcher: Watcher, *, with_build: bool = True
) -> Done:
    """Fetch, land and build. What a provider or a gate refuses is in the result; an engine or
    a build that fails is raised, and the run can be resumed."""
    request = prepared.request
    if not prepared.plan and not (with_build and is_behind(settings)):
        return Done(prepared.run_id, Result(), None)
    sweep(settings)
    runs.note(settings, prepared.run_id, "running", request)
    recorder = Recorder(settings, prepared.run_id)
    with ThreadPoolExecutor(2) as warm_up:
        # The engine starts and the slow imports are made while the first batches are fetched.
        session = warm_up.submit(connect, settings)
        warm_up.submit(gate.preload)
        if with_build:
            warm_up.submit(dbt_project.preload)
        result = _land(settings, prepared, watcher, recorder, session)
        try:
            built = build(session.result(), settings, recorder) if with_build else None
        finally:
            recorder.write_data_docs()
    done = Done(prepared.run_id, result, built)
    runs.note(settings, prepared.run_id, "finished" if done.is_success else "failed", request)
    return done


Watching = Callable[[Sequence[Batch]], AbstractContextManager[Watcher]]


def fill_gaps(
    settings: Settings, request: FillRequest, watching: Watching, *, with_build: bool = True
) -> Filling:
    """Fetch what is absent from one provider after the other, each in a run of its own, and build.

    `watching` gives the watcher of a run over a plan. What a provider or a gate refuses stays a gap
    and is in the report; an engine or a build that fails is raised.
    """
    filling = Filling(settings, request)
    # Each provider's turn comes: none stands in for another.
    alone = settings.model_copy(update={"fallback": False})
    for provider in filling.order:
        run_id = runs.new_run_id()
        prepared = Prepared(run_id, *filling.plan(provider, run_id))
        is_built = with_build and provider == filling.order[-1]
        if prepared.plan or (is_built and is_behind(settings)):
            with watching(prepared.plan) as watcher:
                run(alone, prepared, watcher, with_build=is_built)
        if prepared.plan:
            filling.look_again(provider)
    return filling


def replay_dead_letters(
    settings: Settings, letters: Sequence[DeadLetter], *, with_build: bool = True
) -> Replay:
    """Gate the letters again, publish what passes now, and build what that changes."""
    recorder = Recorder(settings, runs.new_run_id())
    session = connect(settings)
    lander = Lander(session, settings, recorder)

    def land(table: str, judged: gate.Judgement) -> None:
        if table in MESSAGE_SCHEMAS:
            from lakehouse.streams.mended import land_mended

            land_mended(session, settings, table, judged.rows)
        elif table.startswith("bronze."):
            _learn(settings, recorder, lander.publish(judged)[1])
        else:
            known = table_named(table)
            columns = [column.name for column in known.columns]
            delta.upsert(judged.rows.select(*columns), table, known.keys)

    with recorder.step("replay", "dead letters") as outcome:
        done = replay(letters, session, settings, land)
        outcome.rows_in, outcome.rows_out = done.passed + done.failed, done.passed
        outcome.rows_rejected = done.failed
    if with_build:
        build(session, settings, recorder)
    recorder.flush()
    return done


def _learn(settings: Settings, recorder: Recorder, arrivals: Arrivals) -> None:
    """Replayed candles are no gaps any more; nothing else is known of the time between them."""
    facts = Facts()
    for arrival in arrivals.arrivals:
        facts.add(arrival.candles)
    take_in(settings, recorder, facts)
    add_to_sources(settings, recorder.run_id, arrivals.shares)


def _land(
    settings: Settings,
    prepared: Prepared,
    watcher: Watcher,
    recorder: Recorder,
    session: Future[SparkSession],
) -> Result:
    def lander() -> Lander:
        return Lander(session.result(), settings, recorder)

    return _backfill(settings, prepared, watcher, recorder, lander).run(prepared.plan)


def _backfill(
    settings: Settings,
    prepared: Prepared,
    watcher: Watcher,
    recorder: Recorder,
    lander: Callable[[], Lander],
) -> Backfill:
    return Backfill(
        settings=settings,
        sources=sources_for(settings, prepared.request),
        lander=lander,
        watcher=watcher,
        recorder=recorder,
        concurrency=prepared.request.concurrency,
    )
