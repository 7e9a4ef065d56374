"""What the server of forks.py imports."""

from __future__ import annotations

import importlib

for name in ("orchestration.preload", "lakehouse.cli.app"):
    importlib.import_module(name)
