"""What commands import and read, imported and read once; the server forks when that is done."""

from __future__ import annotations

import gc
from contextlib import suppress
from pathlib import Path

from lakehouse import dbt_project, gate
from lakehouse.cli.app import main
from lakehouse.cli.commands import application
from lakehouse.errors import LakehouseError
from lakehouse.preloading import preload
from lakehouse.settings import load_settings
from lakehouse.tables import registry

__all__ = ["main", "read"]

application()
preload()


def read(lake: Path) -> None:
    """Read the models and the suites as well, a second of each build. Commands say what is wrong
    with them."""
    with suppress(LakehouseError):
        registry()
        gate.load_suites()
        dbt_project.preparse(load_settings().model_copy(update={"root": lake}))
    load_settings.cache_clear()  # commands have their own
    # No command looks for garbage among all this, and copies its memory by doing so.
    gc.freeze()
