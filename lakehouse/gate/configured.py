"""GX's expectations, told their configuration once.

An expectation makes it anew whenever somebody reads it, and itself anew from it for each metric it
asks for. That is fifty times for one verdict, and nearly all of the time it takes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration


class _Current(threading.local):
    known: tuple[Expectation, ExpectationConfiguration] | None = None


_current = _Current()


@contextmanager
def configured_once(expectation: Expectation) -> Iterator[None]:
    """Within the block this thread makes the expectation's configuration once, and of that nothing
    but the expectation."""
    _teach()
    _current.known = expectation, expectation.configuration
    try:
        yield
    finally:
        _current.known = None


@cache
def _teach() -> None:
    made_anew: property = Expectation.__dict__["configuration"]
    read_anew = ExpectationConfiguration.to_domain_obj

    def configuration(self: Expectation) -> Any:
        known = _current.known
        return known[1] if known and known[0] is self else made_anew.__get__(self)

    def to_domain_obj(self: ExpectationConfiguration) -> Expectation:
        known = _current.known
        return known[0] if known and known[1] is self else read_anew(self)

    Expectation.configuration = property(configuration)  # type: ignore[method-assign, assignment]
    ExpectationConfiguration.to_domain_obj = to_domain_obj  # type: ignore[method-assign]
