"""What jobs and commands import when they need it, imported before by who forks them."""

from __future__ import annotations

from lakehouse import dbt_project, gate
from lakehouse.sources.adapters import ADAPTERS


def preload() -> None:
    """Great Expectations, dbt, and what the providers' clients need: seconds of processor time."""
    gate.preload()
    dbt_project.preload()
    for adapter in ADAPTERS.values():
        adapter.warm_up()
