"""Restoring a backup to another root, beside it first: what has the root's name is whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout

from lakehouse.backup.manifest import BackedUp, Manifest
from lakehouse.backup.store import LATEST, Store, are_apart, copy_hashed, store_of
from lakehouse.backup.tables import Compared
from lakehouse.backup.verifying import compare_all, demand_whole
from lakehouse.errors import RestoreFailed, RestoreRefused
from lakehouse.settings import Settings

COPIERS = 4
LOCK = ".restore.lock"


@dataclass(frozen=True, slots=True)
class Restored:
    """A lake that was restored to `root`, its tables as they were read there."""

    manifest: Manifest
    root: Path
    tables: list[Compared]


def restore(
    settings: Settings, root: Path, backup: str = LATEST, folder: Path | None = None
) -> Restored:
    """Restore a backup to a directory that is absent or empty, and read the tables back there.

    Raises RestoreRefused, RestoreFailed, UnknownBackup or BackupDamaged; after any of them the
    directory is as it was before.
    """
    store, root = store_of(settings, folder), root.absolute()
    _demand_room(store, root)
    manifest = store.find(backup)
    try:
        with _draft_of(root) as draft:
            _copy_all(store, manifest, draft)
            tables = compare_all(draft, manifest, draft.joinpath)
            os.sync()
    except OSError as error:
        raise RestoreFailed(root=root, problem=error.strerror or str(error)) from error
    return Restored(manifest, root, tables)


def _demand_room(store: Store, root: Path) -> None:
    if not are_apart(store.folder, root):
        problem = f"it must not lie in the backups' folder {store.folder}, nor that in it"
        raise RestoreRefused(root=root, problem=problem)
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise RestoreRefused(root=root, problem="it is not empty")


@contextmanager
def _draft_of(root: Path) -> Iterator[Path]:
    """A folder beside the root that takes its name in the end. What a killed restore left in it is
    removed. Raises RestoreRefused if another one is at work."""
    draft = root.with_name(f"{root.name}.restoring")
    draft.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(draft / LOCK, timeout=0):
            _clear(draft)
            yield draft
            (draft / LOCK).unlink()
            draft.rename(root)
    except Timeout:
        raise RestoreRefused(root=root, problem="another restore to it is at work") from None
    except BaseException:
        shutil.rmtree(draft)
        raise


def _clear(draft: Path) -> None:
    for path in draft.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != LOCK:
            path.unlink()


def _copy_all(store: Store, manifest: Manifest, draft: Path) -> None:
    with ThreadPoolExecutor(COPIERS) as pool:
        demand_whole(manifest, pool.map(partial(_copy, store, draft), manifest.files))


def _copy(store: Store, draft: Path, file: BackedUp) -> str | None:
    """Copy a file's content to its place; what is wrong with it, if anything."""
    target = draft / file.path
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        source = store.object_path(file.sha256).open("rb")
    except FileNotFoundError:
        return store.problem_of(file)
    with source, target.open("wb") as copy:
        sha256, size = copy_hashed(source, copy)
    os.utime(target, ns=(file.mtime_ns, file.mtime_ns))
    return store.difference(file, sha256, size)
