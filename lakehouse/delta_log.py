"""What the logs of Delta tables say, and how they are cleaned.

Delta would delete entries older than 30 days whenever it writes a checkpoint. A kept release may
need them, so every table is told to keep its log, and `lakehouse vacuum` cleans it.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from lakehouse.commits import read_commit

KEEPING = {"delta.enableExpiredLogCleanup": "false"}
ENTRY = re.compile(r"^(\d{20})\.")
CHECKPOINT = re.compile(r"^(\d{20})\.checkpoint(?:\.\d{10}\.(\d{10}))?\.parquet$")


def keep_log(path: Path) -> None:
    """Tell the table that is there to keep its log, unless it knows."""
    table = DeltaTable(str(path))
    if not KEEPING.items() <= table.metadata().configuration.items():
        table.alter.set_table_properties(KEEPING)


def is_changed_since(path: Path, version: int) -> bool:
    """Whether the table has other rows than at that version; that they lie in other files, or that
    they were changed and put back, is no change."""
    present = DeltaTable(str(path)).version()
    commits = (read_commit(path, number) for number in range(version + 1, present + 1))
    # A forgotten commit may have done anything.
    is_touched = any(commit is None or not commit.moves_rows_only for commit in commits)
    # A table with fewer versions is another one, made anew.
    return present < version or (is_touched and not has_files_of(path, version))


def has_files_of(path: Path, version: int) -> bool:
    """Whether the table consists of the very files of that version."""
    table = DeltaTable(str(path))
    present = _files(table)
    try:
        table.load_as_version(version)
    except DeltaError:  # the log of that version is gone
        return False
    return present == _files(table)


def _files(table: DeltaTable) -> set[str]:
    return set(pa.table(table.get_add_actions())["path"].to_pylist())


def clean_log(path: Path, needed: list[int], until: datetime) -> int:
    """Delete the log's entries that none of the needed versions, no version that was current at
    `until` or later needs; how many files it were.

    A version is read from a checkpoint on, so nothing is deleted without one to begin from.
    """
    log = path / "_delta_log"
    names = sorted(file.name for file in log.iterdir() if ENTRY.match(file.name))
    first_needed = min([*needed, _current_at(log, names, until)])
    base = max((v for v in _checkpoints(names) if v <= first_needed), default=0)
    unneeded = [name for name in names if int(name[:20]) < base]
    # The oldest first: who is killed on the way leaves no hole.
    for name in unneeded:
        (log / name).unlink()
    return len(unneeded)


def _current_at(log: Path, names: list[str], moment: datetime) -> int:
    """The version at that moment by the times of the files, as Delta itself has it; else the
    first."""
    commits = [name for name in names if name.endswith(".json") and len(name) == 25]
    current = int(commits[0][:20])
    for name in commits:
        if datetime.fromtimestamp((log / name).stat().st_mtime, UTC) > moment:
            break
        current = int(name[:20])
    return current


def _checkpoints(names: list[str]) -> list[int]:
    """Versions that have a whole checkpoint; one may be in several parts."""
    found = [match for name in names if (match := CHECKPOINT.match(name))]
    parts = Counter((match[1], match[2]) for match in found)
    return [int(version) for (version, of), count in parts.items() if count >= int(of or 1)]
