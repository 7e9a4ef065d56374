"""What upkeep must leave alone: the versions of tables that releases and builds still need."""

from __future__ import annotations

import json

from lakehouse import releases
from lakehouse.builds.arrivals import Versions
from lakehouse.builds.states import table_states
from lakehouse.settings import Settings
from lakehouse.tables import registry


def needed_versions(settings: Settings, name: str) -> list[int]:
    """Versions of the table that must stay whole, ascending: those that kept releases pin, expired
    ones aside, and those that a refusal or a rollback would go back to."""
    expired = {release.name for release in releases.expired(settings)}
    kept = [r for r in releases.kept_releases(settings) if r.name not in expired]
    needed = set(releases.versions_in(kept, name))
    if state := table_states(settings).get(name):
        goal = state.goal.version if state.goal else None
        needed |= {version for version in (state.version_before, goal) if version is not None}
    return sorted(needed)


def needed_entries(settings: Settings, name: str) -> list[int]:
    """Versions of the table that its log must still tell of, ascending.

    Of bronze, they are those that silver, gold and kept releases took in: the next build, and the
    first one after a rollback, read from the log what came after.
    """
    timeframe = registry()[name].timeframe if name in registry() else None
    if timeframe is None:
        return needed_versions(settings, name)
    taken_in: list[Versions] = [
        json.loads(versions)
        for release in releases.kept_releases(settings)
        for versions in release.bronze_versions.values()
    ]
    for state in table_states(settings).values():
        taken_in += [found for found in (state.gated, state.written) if found is not None]
    return sorted({versions[timeframe] for versions in taken_in if timeframe in versions})
