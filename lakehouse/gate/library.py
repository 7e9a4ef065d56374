"""Great Expectations, loaded late and kept quiet.

Importing it takes seconds, so nothing here does so until a gate needs it; `preload` lets a caller
spend them in a thread while something else is being waited for.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from types import ModuleType
from typing import Any

# Only its expectations of distributions use them, and they are a third of its import.
SELDOM_USED = ("altair", "scipy.stats")


@lru_cache
def library() -> ModuleType:
    """The `great_expectations` package: no network, no progress bars, no chatter."""
    # Read at import; without it the library would report its use over the network.
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    _import_what_it_should_not()
    with _seldom_used_later():
        return importlib.import_module("great_expectations")


def _import_what_it_should_not() -> None:
    # It uses two modules that Python deprecates; imported before it, they have warned nobody.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for name in ("sre_constants", "sre_parse"):
            importlib.import_module(name)


class _Later(ModuleType):
    """Stands for a module that is imported when something of it is used."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)  # the import system looks at every module
        _forget(self)
        return getattr(importlib.import_module(self.__name__), name)


@contextmanager
def _seldom_used_later() -> Iterator[None]:
    """What is imported in the block gets such a stand-in; whoever imports afterwards does not."""
    later = [_Later(name) for name in SELDOM_USED if name not in sys.modules]
    sys.modules.update({module.__name__: module for module in later})
    try:
        yield
    finally:
        for module in later:
            _forget(module)


def _forget(module: ModuleType) -> None:
    if sys.modules.get(module.__name__) is module:
        del sys.modules[module.__name__]


def preload() -> None:
    """Import everything a gate needs, so that the first gate need not."""
    library()
    for name in ("conditions", "docs_index"):
        importlib.import_module(f"lakehouse.gate.{name}")
