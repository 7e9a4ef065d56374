"""A table in a backup: which files it is made of up to a version, and counting what they hold."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from lakehouse.backup.manifest import TableState
from lakehouse.errors import BackupFailed

LOG = "_delta_log"
# Not _last_checkpoint, which speaks of later versions; readers find checkpoints without it.
LOG_FILE = re.compile(r"(?P<version>\d{20})\.(json|crc|checkpoint(\.\d{10}\.\d{10})?\.parquet)")
Locate = Callable[[str], Path]


@dataclass(frozen=True, slots=True)
class Compared:
    """A table as it was found, beside what the backup says of it."""

    table: str
    version: int
    rows: int
    backup_version: int
    backup_rows: int

    @property
    def is_same(self) -> bool:
        return (self.version, self.rows) == (self.backup_version, self.backup_rows)


def state_of(lake: Path, name: str, version: int) -> TableState:
    """The table at that version, its rows counted by its log or by the feet of its files."""
    path = lake.joinpath(*name.split(".", 1))
    table = DeltaTable(str(path), version=version)
    files = pa.table(table.get_add_actions(flatten=True)).select(["path", "num_records"])
    rows = 0
    for file in files.to_pylist():
        counted = file["num_records"]
        rows += _foot(path, file["path"]) if counted is None else counted
    return TableState(name, version, rows)


def _foot(path: Path, file: str) -> int:
    return int(pq.read_metadata(path / unquote(file)).num_rows)


def files_up_to(lake: Path, state: TableState, *, with_history: bool) -> list[str]:
    """Paths in the lake of the log up to the version and of the data files that the version needs,
    or with history those of all versions of it that can still be read.

    Raises BackupFailed where the version itself cannot.
    """
    folder = lake / state.path
    logged = _log_files(folder, state.version)
    _demand_whole(state, logged)
    needed = _files_of(folder, state.version)
    if missing := [file for file in needed if not (folder / file).exists()]:
        raise BackupFailed(problem=f"version {state.version} of {state.table} lacks {missing[0]}")
    if with_history:
        earlier = _files_of_all(folder, logged) - needed
        needed |= {file for file in earlier if (folder / file).exists()}
    return [f"{state.path}/{file}" for file in (*sorted(logged), *sorted(needed))]


def _log_files(folder: Path, version: int) -> dict[str, int]:
    """Path in the table's folder and version of each file of its log up to the version."""
    matches = (LOG_FILE.fullmatch(path.name) for path in (folder / LOG).iterdir())
    versions = {f"{LOG}/{found[0]}": int(found["version"]) for found in matches if found}
    return {path: number for path, number in versions.items() if number <= version}


def _demand_whole(state: TableState, logged: dict[str, int]) -> None:
    first = max((v for path, v in logged.items() if path.endswith(".parquet")), default=-1) + 1
    commits = {v for path, v in logged.items() if path.endswith(".json")}
    if missing := set(range(first, state.version + 1)) - commits:
        raise BackupFailed(problem=f"the log of {state.table} lacks version {min(missing)}")


def _files_of(folder: Path, version: int) -> set[str]:
    table = DeltaTable(str(folder), version=version)
    return {unquote(path) for path in pa.table(table.get_add_actions())["path"].to_pylist()}


def _files_of_all(folder: Path, logged: dict[str, int]) -> set[str]:
    """Files that any version needed which the log still knows."""
    commits = [path for path in logged if path.endswith(".json")]
    found = {file for commit in commits for file in _added(folder / commit)}
    if f"{LOG}/{0:020d}.json" not in logged:
        first = min(v for path, v in logged.items() if path.endswith(".parquet"))
        found |= _files_of(folder, first)
    return found


def _added(commit: Path) -> Iterator[str]:
    for line in commit.read_text().splitlines():
        if '"add"' in line and (add := json.loads(line).get("add")):
            yield unquote(add["path"])


def compare(lake: Path, state: TableState, locate: Locate) -> Compared:
    """Open the table of a restored log and read all its rows. `locate` says where a file of the
    lake is. Raises DamagedTable."""
    try:
        table = DeltaTable(str(lake / state.path))
        files = pa.table(table.get_add_actions())["path"].to_pylist()
        rows = sum(_rows_read(locate(f"{state.path}/{unquote(path)}")) for path in files)
        return Compared(state.table, table.version(), rows, state.version, state.rows)
    except (DeltaError, pa.ArrowException, OSError, KeyError) as error:
        problem = (str(error) or type(error).__name__).splitlines()[0]
        raise DamagedTable(f"{state.table} cannot be read: {problem}") from error


def _rows_read(path: Path) -> int:
    """Rows of a Parquet file, every column of which is decoded."""
    with pq.ParquetFile(path) as file:
        return sum(batch.num_rows for batch in file.iter_batches())


class DamagedTable(Exception):
    """Why a table of a backup cannot be read."""
