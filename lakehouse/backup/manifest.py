"""The manifest of a backup: what the lake was made of, and how to know it again.

A JSON file that ends with a checksum of all the rest, for it is what everything else is held
against.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from lakehouse.errors import BackupDamaged

Kind = Literal["lake", "release"]


@dataclass(frozen=True, slots=True)
class BackedUp:
    """A file: its path in the lake, and the content it had. The mtime says when Delta made a
    commit, so it is part of the file."""

    path: str
    size: int
    sha256: str
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class TableState:
    """A table, by its full name, at a version with so many rows."""

    table: str
    version: int
    rows: int

    @property
    def path(self) -> str:
        """Its folder in the lake."""
        return self.table.replace(".", "/", 1)


@dataclass(frozen=True, slots=True)
class Manifest:
    """A backup. `lake` is the root it was made of; `release` is named by backups of one only."""

    id: str
    created_at: datetime
    kind: Kind
    release: str | None
    lake: str
    tables: tuple[TableState, ...]
    files: tuple[BackedUp, ...]

    @property
    def size_bytes(self) -> int:
        """Bytes of the lake that it restores."""
        return sum(file.size for file in self.files)

    def as_json(self) -> str:
        content = {**asdict(self), "created_at": self.created_at.isoformat()}
        return json.dumps({**content, "checksum": _checksum(content)}, indent=1)


def read_manifest(path: Path) -> Manifest:
    """The manifest in that file. Raises BackupDamaged."""
    try:
        content = json.loads(path.read_bytes())
        is_as_written = content.pop("checksum") == _checksum(content) and content["id"] == path.stem
        manifest = _manifest(content) if is_as_written else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(path, f"cannot be read ({type(error).__name__})") from None
    if manifest is None:
        raise _damaged(path, "is not as it was written")
    return manifest


def _manifest(content: dict[str, Any]) -> Manifest:
    files = tuple(BackedUp(**file) for file in content["files"])
    if any(_leaves_the_lake(file.path) for file in files):
        raise ValueError("a path that is none of a lake")
    return Manifest(
        id=content["id"],
        created_at=datetime.fromisoformat(content["created_at"]),
        kind=content["kind"],
        release=content["release"],
        lake=content["lake"],
        tables=tuple(TableState(**table) for table in content["tables"]),
        files=files,
    )


def _leaves_the_lake(path: str) -> bool:
    return PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts


def _checksum(content: dict[str, Any]) -> str:
    plain = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(plain.encode()).hexdigest()


def _damaged(path: Path, problem: str) -> BackupDamaged:
    return BackupDamaged(backup=path.stem, problem=f"its manifest {path} {problem}")
