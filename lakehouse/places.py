"""Where the project and its configuration are. Every command asks, so nothing slow is imported."""

from __future__ import annotations

import os
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]


def config_file() -> Path:
    """The file of settings."""
    return Path(os.environ.get("LAKEHOUSE_CONFIG", PROJECT / "conf" / "lakehouse.yml"))
