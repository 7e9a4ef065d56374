"""Making a backup: capture, copy what is new, and only then say that it exists."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
from deltalake.exceptions import DeltaError

from lakehouse import ops
from lakehouse.backup.capturing import Captured, capture_lake, capture_release
from lakehouse.backup.manifest import BackedUp, Kind, Manifest
from lakehouse.backup.store import Store, are_apart, new_id, store_of
from lakehouse.backup.tables import files_up_to, state_of
from lakehouse.builds import build_lock
from lakehouse.errors import BackupDamaged, BackupFailed, BackupRefused
from lakehouse.maintenance import files_lock
from lakehouse.settings import Settings
from lakehouse.tables import LAYERS
from lakehouse.time_travel import tables_on_disk

# Each mostly waits for the disk.
COPIERS = 4


@dataclass(frozen=True, slots=True)
class Created:
    """A new backup, and what it took: contents that were copied, and those that were there."""

    manifest: Manifest
    files_copied: int
    bytes_copied: int
    files_present: int
    bytes_present: int


def create(settings: Settings, release: str | None = None, folder: Path | None = None) -> Created:
    """Back up the lake, or the tables of a release at the versions that it pins.

    Waits for a build that runs. Raises BackupRefused, BackupFailed, UnknownRelease or ReleaseGone;
    after any of them there is no new backup.
    """
    store = store_of(settings, folder)
    _demand_sense(settings, store)
    try:
        with store.open_for_writing():
            store.sweep()
            return _create(settings, _Keeper(store, settings.lake), release)
    except OSError as error:
        problem = f"{error.filename or store.folder}: {error.strerror or error}"
        raise BackupFailed(problem=problem) from error
    except (DeltaError, pa.ArrowException) as error:
        raise BackupFailed(problem=str(error).splitlines()[0]) from error


def _demand_sense(settings: Settings, store: Store) -> None:
    if not are_apart(settings.lake, store.folder):
        problem = f"it must not lie in the lake {settings.lake}, nor the lake in it"
        raise BackupRefused(folder=store.folder, problem=problem)
    if not tables_on_disk(settings):
        problem = f"the lake {settings.lake} has no tables"
        raise BackupRefused(folder=store.folder, problem=problem)


def _create(settings: Settings, keeper: _Keeper, release: str | None) -> Created:
    with ExitStack() as held:
        with build_lock(settings):
            # In this order, so that vacuum within a build could not wait for ever.
            held.enter_context(files_lock(settings))
            if release is None:
                captured = capture_lake(settings, keeper.keep)
            else:
                release, captured = capture_release(settings, release)
        manifest = _manifest(settings, keeper, release, captured)
    keeper.store.write(manifest)
    return keeper.report(manifest)


def _manifest(
    settings: Settings, keeper: _Keeper, release: str | None, captured: Captured
) -> Manifest:
    kind: Kind = "lake" if release is None else "release"
    lake, now = settings.lake, ops.now()
    names = sorted(captured.versions, key=lambda name: (LAYERS.index(name.split(".")[0]), name))
    tables = tuple(state_of(lake, name, captured.versions[name]) for name in names)
    paths = [
        path for table in tables for path in files_up_to(lake, table, with_history=release is None)
    ]
    files = (*captured.files, *keeper.keep_all(paths))
    return Manifest(new_id(now, kind), now, kind, release, str(lake), tables, files)


@dataclass
class _Keeper:
    """Puts files of the lake into the store; one that an earlier backup knows is not read."""

    store: Store
    lake: Path
    copied: list[int] = field(default_factory=list)
    present: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._known = _known_files(self.store)

    def keep(self, path: str) -> BackedUp:
        state = (self.lake / path).stat()
        known = self._known.get(path)
        if known and self._is_still(known, state):
            self.present.append(known.size)
            return known
        added = self.store.add(self.lake / path)
        (self.copied if added.is_new else self.present).append(added.size)
        return BackedUp(path, added.size, added.sha256, state.st_mtime_ns)

    def _is_still(self, known: BackedUp, state: os.stat_result) -> bool:
        is_unchanged = (known.size, known.mtime_ns) == (state.st_size, state.st_mtime_ns)
        return is_unchanged and self.store.has(known.sha256, known.size)

    def keep_all(self, paths: Iterable[str]) -> list[BackedUp]:
        with ThreadPoolExecutor(COPIERS) as pool:
            return list(pool.map(self.keep, paths))

    def report(self, manifest: Manifest) -> Created:
        copied, present = self.copied, self.present
        return Created(manifest, len(copied), sum(copied), len(present), sum(present))


def _known_files(store: Store) -> dict[str, BackedUp]:
    """Files of the newest backups, by path; back to one of a whole lake."""
    found: dict[str, BackedUp] = {}
    for backup in reversed(store.ids()):
        try:
            manifest = store.read(backup)
        except BackupDamaged:
            continue  # it only costs reading more
        found = {file.path: file for file in manifest.files} | found
        if manifest.kind == "lake":
            break
    return found
