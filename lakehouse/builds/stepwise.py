"""A build in steps, for an orchestrator that shows them: write a stage, then gate it.

Each step brings about a state rather than doing a share, so steps may be repeated, may be run in
another order by runs side by side, and may be killed: the one that comes next makes up for it.
"""

from __future__ import annotations

import structlog
from pyspark.sql import SparkSession

from lakehouse import ops
from lakehouse.builds.arrivals import Arrival, Versions, bronze_versions, find_arrivals
from lakehouse.builds.before import outdated_tables, refreshed_versions
from lakehouse.builds.build import taken_in_by
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
from lakehouse.errors import BatchQuarantined
from lakehouse.outcomes import Recorder
from lakehouse.settings import Settings
from lakehouse.tables import Table, built_tables, stages, table_named

log = structlog.get_logger(__name__)


def is_stage_up_to_date(settings: Settings, stage: Stage) -> bool:
    """Whether there is nothing to write: nothing new passed the gates before the stage, and no
    rollback was left half done."""
    states = table_states(settings)
    return not _is_rolling_back(states) and not _news(settings, stage, states)


def is_stage_gated(settings: Settings, stage: Stage) -> bool:
    """Whether there is nothing to gate, nor to write and gate, nor to release."""
    states = table_states(settings)
    is_waiting = any(states[table.full_name].written is not None for table in stage)
    if is_waiting or _is_rolling_back(states) or _news(settings, stage, states):
        return False
    return not is_release_owed(settings, states)


def _is_rolling_back(states: States) -> bool:
    return any(state.goal for state in states.values())


def write_stage(
    session: SparkSession, settings: Settings, recorder: Recorder, stage: Stage
) -> Build:
    """Write what passed the gates before this stage; its own gate is still to come.

    Raises BuildFailed; then the tables are put back as they were.
    """
    builder = Builder(session, settings, recorder, Build())
    with build_lock(settings):
        make_up(settings, recorder)
        _write(builder, stage)
        recorder.flush()
    return builder.new


def gate_stage(
    session: SparkSession, settings: Settings, recorder: Recorder, stage: Stage
) -> Build:
    """Gate what was written to the stage. What was refused earlier and put back is written first.
    When the last stage has passed, silver and gold are released.

    Raises BatchQuarantined; then the tables are put back as they were before they were written.
    """
    builder = Builder(session, settings, recorder, Build())
    with build_lock(settings):
        make_up(settings, recorder)
        states = table_states(settings)
        stand = [states[table.full_name] for table in stage]
        if any(one.is_open for one in stand) or all(one.written is None for one in stand):
            _write(builder, stage)
            states = table_states(settings)
        _gate(builder, stage, states)
        release_if_owed(settings, recorder)
        recorder.flush()
    return builder.new


def _write(builder: Builder, stage: Stage) -> None:
    _settle(builder, _read_by(stage))
    settings, new, states = builder.settings, builder.new, table_states(builder.settings)
    taken_in, present = _taken_in(settings, stage, states), _present(settings, stage, states)
    new.arrivals = find_arrivals(settings, taken_in or {}, present)
    if not new.arrivals:
        return
    before = versions_of(settings, stage)
    builder.refreshed = {} if taken_in else refreshed_versions(settings, stage, states)
    if taken_in is None:
        outdated = outdated_tables(settings)
        followers = [t for t in built_tables() if t.full_name in outdated and t not in stage]
        # Once this stage is as its model is, nothing else tells that they must be written anew.
        note(settings, [*stage, *followers], "restarted", new.build_id, {}, new.built_at)
        opened = []
    else:
        opened = begin(settings, stage, states, new.build_id, new.built_at)
    try:
        builder.write(stage, new.arrivals, is_first=taken_in is None)
    except BaseException:
        put_back(settings, stage, before)
        note(settings, opened, "stayed", new.build_id, {}, new.built_at)
        raise
    note(settings, stage, "written", new.build_id, present, new.built_at, before)


def _settle(builder: Builder, tables: list[Table]) -> None:
    """Gate what waits in the tables, so that nobody reads what a gate might still refuse. What was
    left half written, or lacks a column, is written first.

    A refusal is told to whoever wrote it: its own gate finds it put back, and tries it again.
    """
    states, outdated = table_states(builder.settings), outdated_tables(builder.settings)
    unfit = [t for t in tables if states[t.full_name].is_open or t.full_name in outdated]
    for stage in stages():
        if part := [table for table in stage if table in unfit]:
            _write(builder, part)
    try:
        _gate(builder, tables, table_states(builder.settings))
    except BatchQuarantined as refusal:
        log.warning("refused_before_it_was_read", problem=str(refusal))


def _read_by(stage: Stage) -> list[Table]:
    return [table_named(name) for name in sorted({name for t in stage for name in t.reads})]


def _news(settings: Settings, stage: Stage, states: States) -> list[Arrival]:
    taken_in, present = _taken_in(settings, stage, states), _present(settings, stage, states)
    return find_arrivals(settings, taken_in or {}, present)


def _taken_in(settings: Settings, stage: Stage, states: States) -> Versions | None:
    """Like `taken_in_by`, with what waits for its gate."""
    outdated = outdated_tables(settings)
    waiting = [states[table.full_name].written for table in stage]
    known = [versions for versions in waiting if versions is not None]
    if len(known) == len(stage) and outdated.isdisjoint(table.full_name for table in stage):
        return common(known)
    return taken_in_by(settings, stage, states, outdated)


def _present(settings: Settings, stage: Stage, states: States) -> Versions:
    """The bronze versions that passed the gates of all that the stage reads."""
    read = _read_by(stage)
    if not read:
        return bronze_versions(settings)
    return common([states[table.full_name].gated or {} for table in read])


def _gate(builder: Builder, stage: Stage, states: States) -> None:
    settings, new = builder.settings, builder.new
    stand = {table.full_name: states[table.full_name] for table in stage}
    waiting = [
        table
        for table in stage
        if stand[table.full_name].written is not None and not stand[table.full_name].is_open
    ]
    if not waiting:
        return
    # Rows written from now on are another gate's.
    gated_at = ops.now()
    builder.gated_until = {table.full_name: states[table.full_name].gated_until for table in stage}
    try:
        builder.gate(waiting)
    except BatchQuarantined:
        before = {table.full_name: states[table.full_name].version_before for table in waiting}
        put_back(settings, waiting, before)
        note(settings, waiting, "refused", new.build_id, {}, gated_at)
        raise
    for table in waiting:
        written = states[table.full_name].written or {}
        note(settings, [table], "gated", new.build_id, written, gated_at)
