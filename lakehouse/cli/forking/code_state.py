"""Which code a process runs: a server that imported other code must not answer for it."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from lakehouse.places import PROJECT

CODE = tuple(PROJECT / folder for folder in ("lakehouse", "dbt", "expectations"))
KINDS = (".py", ".sql", ".yml")
# Libraries look at these when they are imported, which the server has done.
READ_AT_IMPORT = ("PYTHON", "LANG", "LC_", "POLARS_", "ARROW_", "GRPC_", "OMP_", "OPENBLAS_")


def code_state() -> str:
    """Changes with the project's code, models and suites, the installed packages, and the
    variables these read at import."""
    packages = Path(os.__file__).parent.stat(), *(Path(p).stat() for p in _package_folders())
    variables = sorted(item for item in os.environ.items() if item[0].startswith(READ_AT_IMPORT))
    facts = (
        sys.executable,
        [folder.st_mtime_ns for folder in packages],
        variables,
        sorted(file for folder in CODE for file in _files(folder)),
    )
    return hashlib.sha256(repr(facts).encode()).hexdigest()


def _package_folders() -> list[str]:
    return [path for path in sys.path if path.endswith("site-packages") and os.path.isdir(path)]


def _files(folder: Path) -> Iterator[tuple[str, int]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(KINDS):
                yield entry.path, entry.stat().st_mtime_ns
            elif entry.is_dir() and entry.name != "__pycache__":
                yield from _files(Path(entry.path))
