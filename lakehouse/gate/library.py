"""Great Expectations, loaded late and kept quiet.

Importing it takes seconds, so nothing here does so until a gate needs it; `preload` lets a caller
spend them in a thread while something else is being waited for.
"""

from __future__ import annotations

import importlib
import logging
import os
from functools import lru_cache
from types import ModuleType


@lru_cache
def library() -> ModuleType:
    """The `great_expectations` package: no network, no progress bars, no chatter."""
    # Read at import; without it the library would report its use over the network.
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    return importlib.import_module("great_expectations")


def preload() -> None:
    """Import everything a gate needs, so that the first gate need not."""
    library()
    importlib.import_module("lakehouse.gate.conditions")
