"""Which versions go into a backup, so that they fit together while others write.

What is promised is captured before what it is promised of: the records first (a backfill's progress
says landed only of what bronze holds), then dead letters and journals (a replay lands a record
before it takes its letter away), then silver and gold, which hold only what bronze does, then
bronze. So bronze may hold more than the rest knows, never less; landing the same again adds
nothing. A build changes silver, gold and its records together, so none may run meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from deltalake.exceptions import DeltaError

from lakehouse.backup.manifest import BackedUp
from lakehouse.commits import version_of
from lakehouse.errors import BackupFailed
from lakehouse.releases import find_release
from lakehouse.settings import Settings
from lakehouse.time_travel import table_path, tables_on_disk

PROGRESS = "ops.progress"
LETTERS = "dlq/**/*.json"
# Not position.json: without it, a producer sends again what a topic may have and the lake has not.
JOURNALS = "producers/*/journal/*.log"
# delta-rs may put all that it knows of a log into one line.
LONGEST_PROBLEM = 100
Keep = Callable[[str], BackedUp]


@dataclass(frozen=True, slots=True)
class Captured:
    """Versions of tables by full name, and the files beside the tables, which are kept already."""

    versions: dict[str, int]
    files: list[BackedUp]


def capture_lake(settings: Settings, keep: Keep) -> Captured:
    """Everything, as of now. For who holds the build lock."""
    versions = _versions(settings, "ops")
    files = list(_kept(settings.lake, keep))
    for layer in ("silver", "gold", "bronze"):
        versions |= _versions(settings, layer)
    return Captured(versions, files)


def capture_release(settings: Settings, name: str) -> tuple[str, Captured]:
    """The release's own name, and the versions it pins. Raises UnknownRelease, ReleaseGone."""
    release = find_release(settings, name)
    return release.name, Captured(dict(release.versions), [])


def _versions(settings: Settings, layer: str) -> dict[str, int]:
    names = [name for name in tables_on_disk(settings) if name.startswith(f"{layer}.")]
    names.sort(key=lambda name: name != PROGRESS)
    # A table that is being created has a folder before it has a version.
    found = ((name, _version(settings, name)) for name in names)
    return {name: version for name, version in found if version is not None}


def _version(settings: Settings, name: str) -> int | None:
    try:
        return version_of(table_path(settings, name))
    except DeltaError as error:
        problem = str(error).splitlines()[0][:LONGEST_PROBLEM]
        raise BackupFailed(problem=f"the log of {name} cannot be read: {problem} …") from error


def _kept(lake: Path, keep: Keep) -> Iterator[BackedUp]:
    """These files change and go, unlike a table's: they are copied while the order holds."""
    for pattern in (LETTERS, JOURNALS):
        for path in sorted(lake.glob(pattern)):
            if path.name.startswith("."):
                continue
            try:
                yield keep(str(path.relative_to(lake)))
            except FileNotFoundError:
                if path.exists():
                    raise
                # Replayed, discarded or sent since it was listed.
