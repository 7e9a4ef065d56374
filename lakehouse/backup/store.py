"""Where backups are: contents under their SHA-256, each once, and a manifest for each backup.

    objects/<2 hex>/<sha256>
    manifests/<id>.json

Either is written under another name, synced and renamed, so what has its name is whole. Nothing is
ever changed or removed here.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock

from lakehouse.backup.manifest import BackedUp, Kind, Manifest, read_manifest
from lakehouse.errors import BackupDamaged, UnknownBackup
from lakehouse.places import PROJECT
from lakehouse.settings import Settings

LATEST = "latest"
OF_A_RELEASE = "-release"
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Added:
    """What a file held; `is_new` if the store did not have it."""

    sha256: str
    size: int
    is_new: bool


@dataclass(frozen=True, slots=True)
class Store:
    """A folder of backups."""

    folder: Path

    def open_for_writing(self) -> FileLock:
        """The lock of whoever adds to it."""
        for folder in (self._objects, self._manifests):
            folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self.folder / ".lock")

    def sweep(self) -> None:
        """Remove the drafts that a killed backup left; only for who holds the lock."""
        for draft in (*self._objects.glob("*.draft"), *self._manifests.glob("*.draft")):
            draft.unlink()

    def has(self, sha256: str, size: int) -> bool:
        try:
            return self.object_path(sha256).stat().st_size == size
        except FileNotFoundError:
            return False

    def object_path(self, sha256: str) -> Path:
        return self._objects / sha256[:2] / sha256

    def add(self, source: Path) -> Added:
        """Keep what the file holds. One that grows meanwhile is kept as far as it was read."""
        with source.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
            if self.has(sha256, size):
                return Added(sha256, size, is_new=False)
            file.seek(0)
            return self._copy(file)

    def _copy(self, file: BinaryIO) -> Added:
        draft = self._objects / f"{uuid.uuid4().hex}.draft"
        with draft.open("wb") as copy:
            sha256, size = copy_hashed(file, copy)
            os.fsync(copy.fileno())
        target = self.object_path(sha256)
        target.parent.mkdir(exist_ok=True)
        draft.replace(target)
        return Added(sha256, size, is_new=True)

    def write(self, manifest: Manifest) -> None:
        """Only now the backup exists; what it is made of is on the disk before."""
        _sync_folders([self._objects, *self._objects.iterdir()])
        draft = self._manifests / f"{manifest.id}.draft"
        with draft.open("w") as file:
            file.write(manifest.as_json())
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._manifests / f"{manifest.id}.json")
        _sync_folders([self._manifests])

    def ids(self) -> list[str]:
        """Of all backups, oldest first."""
        return sorted(path.stem for path in self._manifests.glob("*.json"))

    def read(self, backup: str) -> Manifest:
        """The backup of that id. Raises BackupDamaged."""
        return read_manifest(self._manifests / f"{backup}.json")

    def find(self, backup: str) -> Manifest:
        """The backup of that id, or the `latest` of a whole lake.

        Raises UnknownBackup, BackupDamaged.
        """
        known = self.ids()
        whole = [name for name in known if not name.endswith(OF_A_RELEASE)]
        wanted = whole[-1] if backup == LATEST and whole else backup
        if wanted not in known:
            names = ", ".join(known) or "none"
            raise UnknownBackup(backup=backup, folder=self.folder, known=names)
        return self.read(wanted)

    def problem_of(self, file: BackedUp) -> str | None:
        """What is wrong with the file's object, found by reading it; None if it is whole."""
        try:
            with self.object_path(file.sha256).open("rb") as content:
                sha256 = hashlib.file_digest(content, "sha256").hexdigest()
                return self.difference(file, sha256, content.tell())
        except OSError as error:
            return self._named(file, "is missing" if _is_missing(error) else str(error.strerror))

    def difference(self, file: BackedUp, sha256: str, size: int) -> str | None:
        """What is wrong with an object that was read with such a result."""
        if size != file.size:
            return self._named(file, f"has {size} bytes, not {file.size}")
        return None if sha256 == file.sha256 else self._named(file, "has another content")

    def _named(self, file: BackedUp, problem: str) -> str:
        place = self.object_path(file.sha256).relative_to(self.folder)
        return f"{place} of {file.path} {problem}"

    @property
    def _objects(self) -> Path:
        return self.folder / "objects"

    @property
    def _manifests(self) -> Path:
        return self.folder / "manifests"


def store_of(settings: Settings, folder: Path | None) -> Store:
    """The folder given, else that of the settings, else `<lake>-backup` beside the lake."""
    named = settings.backup.folder
    if folder is None and named is not None:
        folder = named if named.is_absolute() else PROJECT / named
    lake = settings.lake
    return Store((folder or lake.with_name(f"{lake.name}-backup")).resolve())


def list_backups(
    settings: Settings, folder: Path | None = None
) -> tuple[list[Manifest], list[BackupDamaged]]:
    """The backups there are, newest first, and those whose manifest cannot be read."""
    store, damaged = store_of(settings, folder), list[BackupDamaged]()
    found = []
    for backup in reversed(store.ids()):
        try:
            found.append(store.read(backup))
        except BackupDamaged as error:
            damaged.append(error)
    return found, damaged


def new_id(now: datetime, kind: Kind) -> str:
    """Ids sort by time."""
    moment = f"{now:%Y%m%dT%H%M%S}.{now.microsecond // 1000:03d}Z"
    return moment if kind == "lake" else moment + OF_A_RELEASE


def copy_hashed(source: BinaryIO, target: BinaryIO) -> tuple[str, int]:
    """Copy to the end; the SHA-256 and the number of the bytes that were written."""
    digest, size = hashlib.sha256(), 0
    while chunk := source.read(CHUNK_BYTES):
        digest.update(chunk)
        size += target.write(chunk)
    target.flush()
    return digest.hexdigest(), size


def are_apart(first: Path, second: Path) -> bool:
    """Whether neither folder lies in the other."""
    first, second = first.resolve(), second.resolve()
    return not (first.is_relative_to(second) or second.is_relative_to(first))


def _is_missing(error: OSError) -> bool:
    return isinstance(error, FileNotFoundError)


def _sync_folders(folders: Iterable[Path]) -> None:
    # A rename survives a power cut only once its folder is on disk, too.
    for folder in folders:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
