"""Verifying a backup: every byte of it is read, and every row of its tables."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from lakehouse.backup.manifest import BackedUp, Manifest
from lakehouse.backup.store import LATEST, Store, store_of
from lakehouse.backup.tables import LOG, Compared, DamagedTable, Locate, compare
from lakehouse.errors import BackupDamaged
from lakehouse.settings import Settings

READERS = 2
NAMED = 10


@dataclass(frozen=True, slots=True)
class Verified:
    """A backup that is whole: its tables as they were read back, and how much was read."""

    manifest: Manifest
    tables: list[Compared]
    objects: int
    bytes_read: int


def verify(settings: Settings, backup: str = LATEST, folder: Path | None = None) -> Verified:
    """Read a backup back: each object's size and SHA-256, each table's version and rows.

    Raises UnknownBackup, and BackupDamaged, which names what is damaged.
    """
    store = store_of(settings, folder)
    manifest = store.find(backup)
    objects = {file.sha256: file for file in manifest.files}
    with ThreadPoolExecutor(READERS) as pool:
        demand_whole(manifest, pool.map(store.problem_of, objects.values()))
    tables = _read_tables(store, manifest)
    return Verified(manifest, tables, len(objects), sum(file.size for file in objects.values()))


def _read_tables(store: Store, manifest: Manifest) -> list[Compared]:
    """Open the tables by their logs, laid out once more, and read their files where they are."""
    objects = {file.path: store.object_path(file.sha256) for file in manifest.files}
    with TemporaryDirectory() as scratch:
        for file in manifest.files:
            if f"/{LOG}/" in file.path:
                _lay_out(store, file, Path(scratch))
        return compare_all(Path(scratch), manifest, objects.__getitem__)


def _lay_out(store: Store, file: BackedUp, folder: Path) -> None:
    path = folder / file.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(store.object_path(file.sha256))


def compare_all(lake: Path, manifest: Manifest, locate: Locate) -> list[Compared]:
    """The tables of a restored log beside the manifest. Raises BackupDamaged if any differs."""
    compared: list[Compared] = []
    problems: list[str | None] = []
    for state in manifest.tables:
        try:
            compared.append(compare(lake, state, locate))
            problems.append(_difference(compared[-1]))
        except DamagedTable as error:
            problems.append(str(error))
    demand_whole(manifest, problems)
    return compared


def _difference(found: Compared) -> str | None:
    if found.is_same:
        return None
    is_ = f"{found.table} is version {found.version} with {found.rows} rows"
    return f"{is_}, not {found.backup_version} with {found.backup_rows}"


def demand_whole(manifest: Manifest, problems: Iterable[str | None]) -> None:
    """Raises BackupDamaged if there is any problem, with the first ones."""
    found = [problem for problem in problems if problem]
    if found:
        more = [f"and {len(found) - NAMED} more"] if len(found) > NAMED else []
        raise BackupDamaged(backup=manifest.id, problem="; ".join([*found[:NAMED], *more]))
