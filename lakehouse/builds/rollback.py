"""Rolling back: silver and gold as they were in a release, all of them or none.

Where every table goes is noted before the first one goes there. So a rollback that is killed is
finished by the next one who takes the build lock, and nobody builds on half of it. What it leads to
is a release of its own, which readers of releases see when all tables are in it.
"""

from __future__ import annotations

import json
from datetime import datetime

import structlog
from deltalake import DeltaTable

from lakehouse.builds.arrivals import Versions
from lakehouse.builds.locking import build_lock
from lakehouse.builds.pinning import new_name, pin
from lakehouse.builds.states import Goal, note, note_each, put_back, table_states, versions_of
from lakehouse.delta_log import has_files_of
from lakehouse.errors import RollbackFailed
from lakehouse.outcomes import Recorder
from lakehouse.releases import Release, all_releases, find_release
from lakehouse.settings import Settings
from lakehouse.tables import built_tables, table_named
from lakehouse.time_travel import is_readable
from lakehouse.timeframes import EPOCH

log = structlog.get_logger(__name__)

PREFIX = "rollback-"
Goals = dict[str, Goal]


def roll_back(settings: Settings, recorder: Recorder, name: str) -> Release:
    """Make silver and gold what they were in that release; the new release that they are then.

    Bronze stays: what came since is taken in by the next build. Raises UnknownRelease, ReleaseGone,
    or RollbackFailed, and then every table holds what it held before.
    """
    with build_lock(settings):
        finish_rollback(settings, recorder)
        release = find_release(settings, name)
        goals = _goals(settings, release)
        before = versions_of(settings, built_tables())
        _note(settings, "rolling_back", goals)
        try:
            _restore(settings, recorder, goals)
        except BaseException as error:
            put_back(settings, built_tables(), before)
            _note(settings, "stayed", goals)
            if not isinstance(error, Exception):
                raise
            raise RollbackFailed(release=release.name, problem=_first_line(error)) from error
        made = _conclude(settings, recorder, goals)
        recorder.flush()
    return made


def finish_rollback(settings: Settings, recorder: Recorder) -> None:
    """Finish a rollback that was killed, if one was; for whoever has just got the build lock."""
    states = table_states(settings)
    goals = {name: state.goal for name, state in states.items() if state.goal}
    if not goals:
        return
    gone = _gone(settings, {name: goal.version for name, goal in goals.items()})
    if gone:
        # Somebody else removed its files meanwhile. Bronze still has what the tables lack.
        log.warning("rollback_cannot_be_finished", gone=gone)
        rollback_id = next(iter(goals.values())).rollback_id
        note(settings, built_tables(), "restarted", rollback_id, {}, EPOCH)
        return
    _restore(settings, recorder, goals)
    _conclude(settings, recorder, goals)


def _goals(settings: Settings, release: Release) -> Goals:
    """Raises RollbackFailed where the release cannot be gone back to."""
    names = {table.full_name for table in built_tables()}
    if added := sorted(names - release.versions.keys()):
        problem = f"it was made before there was {', '.join(added)}"
        raise RollbackFailed(release=release.name, problem=problem)
    versions = {name: release.versions[name] for name in sorted(names)}
    if gone := _gone(settings, versions):
        raise RollbackFailed(release=release.name, problem=f"{gone} cannot be read any more")
    rollback_id = f"{PREFIX}{new_name(settings)}"
    return {
        name: Goal(
            rollback_id, version, json.loads(release.bronze_versions[name]), release.built_at[name]
        )
        for name, version in versions.items()
    }


def _gone(settings: Settings, versions: dict[str, int]) -> str:
    """The versions that lack a file, for people."""
    return ", ".join(
        f"version {version} of {name}"
        for name, version in versions.items()
        if not is_readable(settings, name, version)
    )


def _note(settings: Settings, status: str, goals: Goals) -> None:
    rollback_id = next(iter(goals.values())).rollback_id
    rows: dict[str, tuple[Versions, datetime, int | None]] = {
        name: (goal.gated, goal.gated_until, goal.version) for name, goal in goals.items()
    }
    note_each(settings, status, rollback_id, rows)


def _restore(settings: Settings, recorder: Recorder, goals: Goals) -> None:
    # Gold first: in a build, too, it is gold that lags behind.
    for name in sorted(goals, key=lambda name: table_named(name).layer):
        path, version = table_named(name).path(settings.lake), goals[name].version
        if has_files_of(path, version):
            continue
        with recorder.step("restore", name) as outcome:
            table = DeltaTable(str(path))
            table.restore(version)
            outcome.version = table.version()


def _conclude(settings: Settings, recorder: Recorder, goals: Goals) -> Release:
    """Release what stands, unless it is, and say that it is gated: its gates were the release's."""
    name = next(iter(goals.values())).rollback_id.removeprefix(PREFIX)
    made = next((release for release in all_releases(settings) if release.name == name), None)
    if made is None:
        held = {table: (goal.gated, goal.gated_until) for table, goal in goals.items()}
        made = pin(settings, recorder, held, "rollback", name)
    _note(settings, "gated", goals)
    return made


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
