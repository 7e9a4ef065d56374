"""Writing again when another writer of a Delta table was faster; for what delta-rs writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from deltalake.exceptions import CommitFailedError
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

P = ParamSpec("P")
T = TypeVar("T")


def again_on_conflict(
    attempts: int = 5, first_wait: float = 0.2, longest_wait: float = 2
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """A decorator: the whole function runs again after a conflict, so it must read anew what it
    writes from. Waits are in seconds. The last conflict is raised."""
    return retry(
        retry=retry_if_exception_type(CommitFailedError),
        stop=stop_after_attempt(attempts),
        wait=wait_random_exponential(multiplier=first_wait, max=longest_wait),
        reraise=True,
    )
