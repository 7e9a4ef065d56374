"""A build: silver and gold as one, brought up to bronze or left as they were."""

from __future__ import annotations

from itertools import groupby

from pyspark.sql import SparkSession

from lakehouse.builds.arrivals import Versions, bronze_versions, find_arrivals
from lakehouse.builds.before import outdated_tables, refreshed_versions
from lakehouse.builds.builder import Build, Builder, Stage
from lakehouse.builds.locking import build_lock
from lakehouse.builds.releasing import is_release_owed, make_up, release_if_owed
from lakehouse.builds.states import (
    States,
    begin,
    common,
    note,
    put_back,
    table_states,
    versions_of,
)
from lakehouse.outcomes import Recorder
from lakehouse.settings import Settings
from lakehouse.tables import built_tables, stages


def is_behind(settings: Settings) -> bool:
    """Whether bronze has news, a table or a column of one is missing, or somebody left a rollback
    or a release undone; no engine is needed to tell."""
    present, states = bronze_versions(settings), table_states(settings)
    if any(state.goal for state in states.values()):
        return True
    if None in versions_of(settings, built_tables()).values() or outdated_tables(settings):
        return bool(present)
    taken_in = common([state.gated or {} for state in states.values()])
    has_news = bool(find_arrivals(settings, taken_in, present))
    return has_news or is_release_owed(settings, states)


def build(
    session: SparkSession, settings: Settings, recorder: Recorder, *, full_refresh: bool = False
) -> Build:
    """Bring silver and gold up to bronze, and release them. Without news in bronze, nothing is
    written, unless a model has got a column: what depends on it is built anew.

    Raises BuildFailed if dbt fails, BatchQuarantined if a gate refuses what was built; then the
    tables are put back as they were.
    """
    builder = Builder(session, settings, recorder, Build())
    with build_lock(settings):
        make_up(settings, recorder)
        states, present = table_states(settings), bronze_versions(settings)
        outdated = outdated_tables(settings)

        def taken_in(stage: Stage) -> Versions | None:
            return None if full_refresh else taken_in_by(settings, stage, states, outdated)

        # Mostly all stages stand alike, and are one transaction.
        for versions, alike in groupby(stages(), taken_in):
            _bring_up(builder, list(alike), states, versions, present)
        release_if_owed(settings, recorder)
        recorder.flush()
    return builder.new


def taken_in_by(
    settings: Settings, stage: Stage, states: States, outdated: set[str]
) -> Versions | None:
    """The bronze versions that passed the gates of the stage; None if it must be built anew."""
    versions = [states[table.full_name].gated for table in stage]
    present = versions_of(settings, stage)
    is_whole = None not in present.values() and outdated.isdisjoint(present)
    known = [version for version in versions if version is not None]
    return common(known) if is_whole and len(known) == len(versions) else None


def _bring_up(
    builder: Builder,
    alike: list[Stage],
    states: States,
    taken_in: Versions | None,
    present: Versions,
) -> None:
    settings, new, tables = builder.settings, builder.new, [t for stage in alike for t in stage]
    arrivals = find_arrivals(settings, taken_in or {}, present)
    if not arrivals:
        return
    new.arrivals += arrivals
    before = versions_of(settings, tables)
    # A refresh that was killed has taken in nothing, and goes on.
    builder.refreshed = {} if taken_in else refreshed_versions(settings, tables, states)
    if taken_in is None:
        # Until it is done, the tables hold a part; who is killed leaves that to be known.
        note(settings, tables, "restarted", new.build_id, {}, new.built_at)
        opened = []
    else:
        opened = begin(settings, tables, states, new.build_id, new.built_at)
        # What earlier builds wrote was gated by them; a killed one left rows that were not.
        builder.gated_until |= {t.full_name: states[t.full_name].gated_until for t in tables}
    try:
        builder.take_in(alike, arrivals, is_first=taken_in is None)
    except BaseException:
        put_back(settings, tables, before)
        note(settings, opened, "stayed", new.build_id, {}, new.built_at)
        raise
    note(settings, tables, "gated", new.build_id, present, new.built_at)
