"""A build in steps, for an orchestrator that shows them: write a stage, then gate it.

Each step brings about a state rather than doing a share, so steps may be repeated, may be run in
another order by runs side by side, and may be killed: the one that comes next makes up for it.
"""

from __future__ import annotations

import structlog
from pyspark.sql import SparkSession

from lakehouse import ops
from lakehouse.builds.arrivals import Arrival, Versions, bronze_versions, find_arrivals
from lakehouse.builds.build import build_lock, taken_in_by
from lakehouse.builds.builder import Build, Builder, Stage
from lakehouse.builds.states import States, common, note, put_back, table_states, versions_of
from lakehouse.errors import BatchQuarantined
from lakehouse.outcomes import Recorder
from lakehouse.settings import Settings
from lakehouse.tables import Table, table_named

log = structlog.get_logger(__name__)


def is_stage_up_to_date(settings: Settings, stage: Stage) -> bool:
    """Whether there is nothing to write: nothing new passed the gates before the stage."""
    return not _news(settings, stage, table_states(settings))


def is_stage_gated(settings: Settings, stage: Stage) -> bool:
    """Whether there is nothing to gate, nor to write and gate."""
    states = table_states(settings)
    is_waiting = any(states[table.full_name].written is not None for table in stage)
    return not is_waiting and not _news(settings, stage, states)


def write_stage(
    session: SparkSession, settings: Settings, recorder: Recorder, stage: Stage
) -> Build:
    """Write what passed the gates before this stage; its own gate is still to come.

    Raises BuildFailed; then the tables are put back as they were.
    """
    builder = Builder(session, settings, recorder, Build())
    with build_lock(settings):
        _write(builder, stage)
        recorder.flush()
    return builder.new


def gate_stage(
    session: SparkSession, settings: Settings, recorder: Recorder, stage: Stage
) -> Build:
    """Gate what was written to the stage. What was refused earlier and put back is written first.

    Raises BatchQuarantined; then the tables are put back as they were before they were written.
    """
    builder = Builder(session, settings, recorder, Build())
    with build_lock(settings):
        states = table_states(settings)
        if all(states[table.full_name].written is None for table in stage):
            _write(builder, stage)
            states = table_states(settings)
        _gate(builder, stage, states)
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
    if taken_in is None:
        note(settings, stage, "restarted", new.build_id, {}, new.built_at)
    try:
        builder.write(stage, new.arrivals, is_first=taken_in is None)
    except BaseException:
        put_back(settings, stage, before)
        raise
    note(settings, stage, "written", new.build_id, present, new.built_at, before)


def _settle(builder: Builder, tables: list[Table]) -> None:
    """Gate what waits in the tables, so that nobody reads what a gate might still refuse.

    A refusal is told to whoever wrote it: its own gate finds it put back, and tries it again.
    """
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
    waiting = [states[table.full_name].written for table in stage]
    known = [versions for versions in waiting if versions is not None]
    return common(known) if len(known) == len(stage) else taken_in_by(settings, stage, states)


def _present(settings: Settings, stage: Stage, states: States) -> Versions:
    """The bronze versions that passed the gates of all that the stage reads."""
    read = _read_by(stage)
    if not read:
        return bronze_versions(settings)
    return common([states[table.full_name].gated or {} for table in read])


def _gate(builder: Builder, stage: Stage, states: States) -> None:
    settings, new = builder.settings, builder.new
    waiting = [table for table in stage if states[table.full_name].written is not None]
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
