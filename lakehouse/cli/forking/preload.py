"""What commands import, imported once; the server forks when that is done."""

from __future__ import annotations

import gc

from lakehouse import dbt_project, gate
from lakehouse.cli.app import main
from lakehouse.cli.commands import application
from lakehouse.sources.adapters import ADAPTERS

__all__ = ["main"]

application()
gate.preload()
dbt_project.preload()
for adapter in ADAPTERS.values():
    adapter.warm_up()
# No command looks for garbage among it, and copies its memory by doing so.
gc.freeze()
