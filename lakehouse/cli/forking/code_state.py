"""Which code a process runs: a server that imported other code must not answer for it."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

CODE = Path(__file__).resolve().parents[2]
# Libraries look at these when they are imported, which the server has done.
READ_AT_IMPORT = ("PYTHON", "LANG", "LC_", "POLARS_", "ARROW_", "GRPC_", "OMP_", "OPENBLAS_")


def code_state() -> str:
    """Changes with the project's code, the installed packages, and what they read at import."""
    packages = Path(os.__file__).parent.stat(), *(Path(p).stat() for p in _package_folders())
    variables = sorted(item for item in os.environ.items() if item[0].startswith(READ_AT_IMPORT))
    facts = (
        sys.executable,
        [folder.st_mtime_ns for folder in packages],
        variables,
        sorted(_files(CODE)),
    )
    return hashlib.sha256(repr(facts).encode()).hexdigest()


def _package_folders() -> list[str]:
    return [path for path in sys.path if path.endswith("site-packages") and os.path.isdir(path)]


def _files(folder: Path) -> Iterator[tuple[str, int]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".py"):
                yield entry.path, entry.stat().st_mtime_ns
            elif entry.is_dir() and entry.name != "__pycache__":
                yield from _files(Path(entry.path))
