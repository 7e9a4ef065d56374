"""Making releases: what stands is pinned once all of it is whole, gated, and of one bronze."""

from __future__ import annotations

import re

from lakehouse import releases
from lakehouse.builds.arrivals import Versions, find_arrivals
from lakehouse.builds.locking import build_lock
from lakehouse.builds.pinning import Held, pin
from lakehouse.builds.rollback import finish_rollback
from lakehouse.builds.states import State, States, table_states, versions_of
from lakehouse.delta_log import is_changed_since
from lakehouse.errors import InvalidReleaseName, NothingToRelease, ReleaseExists
from lakehouse.outcomes import Recorder
from lakehouse.releases import Release
from lakehouse.settings import Settings
from lakehouse.tables import built_tables

NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,99}", re.ASCII)


def create_release(settings: Settings, recorder: Recorder, name: str | None = None) -> Release:
    """Pin what stands under that name, or one of the time; it is kept until it is dropped.

    Raises InvalidReleaseName, ReleaseExists, or NothingToRelease where silver and gold are not
    whole, not gated, or not of the same bronze.
    """
    with build_lock(settings):
        if name is not None:
            _demand_usable(settings, name)
        make_up(settings, recorder)
        states = table_states(settings)
        if problem := _problem(settings, states):
            raise NothingToRelease(problem=problem)
        release = pin(settings, recorder, _held(states), releases.NAMED, name)
        recorder.flush()
    return release


def drop_release(settings: Settings, name: str) -> Release:
    """Let the release go. Raises UnknownRelease, ReleaseGone or LatestIsKept."""
    with build_lock(settings):
        return releases.drop(settings, name)


def make_up(settings: Settings, recorder: Recorder) -> None:
    """Do what somebody who was killed left undone; for whoever has just got the build lock."""
    finish_rollback(settings, recorder)
    # Of what was built before there were releases, nobody knows whether it is whole.
    if releases.latest_release(settings):
        release_if_owed(settings, recorder)


def release_if_owed(settings: Settings, recorder: Recorder) -> None:
    """Pin what a build has brought about; for whoever holds the build lock."""
    states = table_states(settings)
    if is_release_owed(settings, states):
        pin(settings, recorder, _held(states), "build")


def is_release_owed(settings: Settings, states: States) -> bool:
    """Whether what stands could be released, and its rows are not those of the latest release.

    Rows that were mended by hand count; that a table was compacted does not.
    """
    if _problem(settings, states):
        return False
    latest = releases.latest_release(settings)
    pinned = latest.versions if latest else {}
    return any(
        table.full_name not in pinned
        or is_changed_since(table.path(settings.lake), pinned[table.full_name])
        for table in built_tables()
    )


def _demand_usable(settings: Settings, name: str) -> None:
    if name == releases.LATEST:
        raise InvalidReleaseName(release=name, problem="that means the newest one")
    if not NAME.fullmatch(name):
        problem = "a name has letters, digits, dots, - and _, and begins with a letter or a digit"
        raise InvalidReleaseName(release=name, problem=problem)
    for release in releases.all_releases(settings):
        if release.name == name:
            created_at = f"{release.created_at:%Y-%m-%dT%H:%M:%SZ}"
            raise ReleaseExists(release=name, created_at=created_at)


def _problem(settings: Settings, states: States) -> str | None:
    """What keeps the tables, as they stand, from being released; None: nothing."""
    for name, version in versions_of(settings, built_tables()).items():
        problem = "has not been built" if version is None else _unsettled(states[name])
        if problem:
            return f"{name} {problem}"
    newest = _newest(states)
    for name, state in states.items():
        if state.gated != newest and find_arrivals(settings, state.gated or {}, newest):
            return f"{name} lacks candles that other tables have taken in"
    return None


def _unsettled(state: State) -> str | None:
    if state.goal:
        return "is being rolled back"
    if state.is_open:
        return "holds part of what a build that was killed wrote"
    if state.written is not None:
        return "holds rows that wait for their gate"
    # Neither what was never built nor what is just being built anew has taken in anything.
    return None if state.gated else "has not passed its gate"


def _newest(states: States) -> Versions:
    """Of each bronze table the newest version that any table has taken in."""
    newest: Versions = {}
    for state in states.values():
        for timeframe, version in (state.gated or {}).items():
            newest[timeframe] = max(version, newest.get(timeframe, version))
    return newest


def _held(states: States) -> Held:
    return {name: (state.gated or {}, state.gated_until) for name, state in states.items()}
