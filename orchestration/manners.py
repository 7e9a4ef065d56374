"""The manners of every DAG: owner, retries, tags, deadline, alerts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import AsyncCallback, DeadlineAlert, RetryDecision, RetryPolicy

from lakehouse.errors import EngineError
from lakehouse.settings import load_settings
from orchestration.alerts import deadline_missed, task_failed
from orchestration.deadlines import RunCreated

RETRIES = 3
ENGINE_SECONDS = 10
SOON = 0.05
LAYERS = ("bronze", "silver", "gold", "ops")
TIERS = (1, 2, 3)  # 1: somebody is woken; 2: looked at in the morning; 3: when there is time


class BackOff(RetryPolicy):
    """Waits `first`, then twice as long, then four times. An engine that is gone is started anew by
    the next try, so that one comes soon."""

    def __init__(self, first: timedelta) -> None:
        self.first = first

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Any = None
    ) -> RetryDecision:
        # A task that was cleared counts on from where it was.
        retries_before = max(0, try_number - 1 - (max_tries - RETRIES))
        delay = self.first * 2**retries_before
        if isinstance(exception, EngineError):
            delay = min(delay, timedelta(seconds=ENGINE_SECONDS))
        return RetryDecision.retry(delay, reason=type(exception).__name__)

    def serialize(self) -> dict[str, Any]:
        return {"first": self.first.total_seconds()}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> BackOff:
        return cls(timedelta(seconds=data["first"]))


def default_args(*, is_soon_again: bool = False) -> dict[str, Any]:
    """What every task gets: 3 retries after 5, 10 and 20 minutes, an owner, a failure callback.

    Where the next run `is_soon_again`, they come after 15, 30 and 60 seconds, not to hold it up.
    """
    delay = timedelta(seconds=load_settings().airflow.retry_seconds)
    return {
        "owner": "market-data",
        "retries": RETRIES,
        "retry_delay": delay,
        # For a task that died without an exception; Airflow adds some chance to it.
        "retry_exponential_backoff": 2,
        "retry_policy": BackOff(delay * SOON if is_soon_again else delay),
        "on_failure_callback": task_failed,
    }


def tags(*layers: str, tier: int) -> list[str]:
    """The closed set of tags. Raises ValueError for any other layer or tier."""
    if unknown := set(layers) - set(LAYERS):
        raise ValueError(f"there is no layer {unknown}")
    if tier not in TIERS:
        raise ValueError(f"there is no tier {tier}")
    return [*(f"layer/{layer}" for layer in layers), f"tier/{tier}"]


def deadline() -> DeadlineAlert:
    """Alerts once when a run is not done `airflow.deadline_minutes` after it was created."""
    return DeadlineAlert(
        reference=RunCreated(),
        interval=timedelta(minutes=load_settings().airflow.deadline_minutes),
        callback=AsyncCallback(deadline_missed),
    )
