"""Great Expectations, loaded late and kept quiet.

Importing it takes seconds, so nothing here does so until a gate needs it; `preload` lets a caller
spend them in a thread while something else is being waited for.
"""

from __future__ import annotations

import importlib
import logging
import os
import warnings
from functools import lru_cache
from types import ModuleType


@lru_cache
def library() -> ModuleType:
    """The `great_expectations` package: no network, no progress bars, no chatter."""
    # Read at import; without it the library would report its use over the network.
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    _import_what_it_should_not()
    return importlib.import_module("great_expectations")


def _import_what_it_should_not() -> None:
    # It uses two modules that Python deprecates; imported before it, they have warned nobody.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for name in ("sre_constants", "sre_parse"):
            importlib.import_module(name)


def preload() -> None:
    """Import everything a gate needs, so that the first gate need not."""
    library()
    importlib.import_module("lakehouse.gate.conditions")
