"""The embedded exchange as a background process of the lake."""

from __future__ import annotations

import json
import sys

from lakehouse.services import Service
from lakehouse.settings import Settings

NAME = "exchange"


def exchange_service(settings: Settings) -> Service:
    """How the lake's simulated exchange is started; its kind says which faults it plays."""
    faults = settings.simulated.model_dump(mode="json")
    environment = {
        f"LAKEHOUSE__SIMULATED__{name.upper()}": str(value)
        for name, value in faults.items()
        if value is not None
    }

    def command(port: int) -> list[str]:
        return [sys.executable, "-m", "lakehouse.simulated", "--port", str(port)]

    return Service(NAME, json.dumps(faults), settings.lake, command, environment)


def ensure_exchange(settings: Settings) -> str:
    """Base URL of the running exchange in the dialect that the settings give it.

    Raises EngineStartFailed.
    """
    port = exchange_service(settings).ensure().port
    return f"http://127.0.0.1:{port}/{settings.providers['simulated'].dialect}"
