"""How long a failed task waits, who is told, and what a task's error looks like."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from lakehouse.errors import (
    BatchQuarantined,
    EngineLost,
    EngineUnreachable,
    LakehouseError,
    SourceUnavailable,
    UnknownAsset,
)
from lakehouse.settings import load_settings
from orchestration import context as surroundings
from orchestration.alerts import deadline_missed, task_failed
from orchestration.context import in_lakehouse
from orchestration.manners import RETRIES, BackOff, default_args, tags
from tests.orchestration.webhooks import Webhook, running_webhook

FIVE = timedelta(minutes=5)


def delays(exception: Exception, first_try: int = 1) -> list[float]:
    """Minutes before each retry of a task whose tries count from there."""
    policy = BackOff(FIVE)
    found = []
    for retry in range(RETRIES):
        decision = policy.evaluate(exception, first_try + retry, first_try - 1 + RETRIES)
        assert decision.retry_delay
        found.append(decision.retry_delay.total_seconds() / 60)
    return found


def test_retries_wait_five_ten_and_twenty_minutes() -> None:
    assert delays(AirflowException("the provider is down")) == [5, 10, 20]


def test_a_cleared_task_waits_from_the_beginning_again() -> None:
    assert delays(AirflowException("the provider is down"), first_try=5) == [5, 10, 20]


def test_an_engine_that_is_gone_is_tried_again_at_once() -> None:
    assert delays(EngineLost(what="the task")) == [1 / 6, 1 / 6, 1 / 6]


def test_where_the_next_run_is_soon_retries_do_not_hold_it_up() -> None:
    arguments = default_args(is_soon_again=True)
    assert arguments["retries"] == RETRIES
    assert arguments["retry_policy"].first == timedelta(seconds=15)
    assert default_args()["retry_policy"].first == FIVE


def test_the_policy_survives_being_stored() -> None:
    assert BackOff.deserialize(BackOff(FIVE).serialize()).first == FIVE


def test_a_tag_outside_the_closed_set_is_refused() -> None:
    assert tags("silver", "gold", tier=2) == ["layer/silver", "layer/gold", "tier/2"]
    with pytest.raises(ValueError, match="platinum"):
        tags("platinum", tier=1)
    with pytest.raises(ValueError, match="tier 4"):
        tags("gold", tier=4)


@pytest.fixture
def no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings, "_choose_engine", lambda: None)
    monkeypatch.setenv("TZ", "UTC")


QUARANTINED = BatchQuarantined(
    table="bronze.raw_market_data_1h",
    subject="batch 1",
    rows=24,
    rejected=24,
    percent=100,
    tolerance=10,
    reasons="high < low (24)",
    dead_letters="dlq_1.json",
)
UNKNOWN = UnknownAsset(asset_pair="FOO", known="BTCUSD", where="conf")
DOWN = SourceUnavailable(provider="binance", subject="BTCUSD", attempts=3, problem="503")


@pytest.mark.usefixtures("no_connection")
@pytest.mark.parametrize("error", [QUARANTINED, UNKNOWN])
def test_what_a_retry_cannot_mend_fails_at_once_in_its_own_words(error: LakehouseError) -> None:
    with pytest.raises(AirflowFailException) as raised, in_lakehouse():
        raise error
    assert str(raised.value) == str(error)


@pytest.mark.usefixtures("no_connection")
def test_what_may_mend_itself_is_retried() -> None:
    with pytest.raises(AirflowException, match="binance did not answer") as raised, in_lakehouse():
        raise DOWN
    assert not isinstance(raised.value, AirflowFailException)


@pytest.mark.usefixtures("no_connection")
def test_an_engine_that_died_is_known_by_its_transport() -> None:
    with pytest.raises(EngineLost, match="Run the task again"), in_lakehouse():
        raise RuntimeError("status = StatusCode.UNAVAILABLE, details = Socket closed")
    with pytest.raises(EngineUnreachable), in_lakehouse():
        raise EngineUnreachable(remote="sc://127.0.0.1:1", problem="refused")


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    """A webhook that the settings name."""
    with running_webhook() as running:
        monkeypatch.setenv("LAKEHOUSE__AIRFLOW__ALERTS__NOTIFIER", "webhook")
        monkeypatch.setenv("LAKEHOUSE__AIRFLOW__ALERTS__WEBHOOK_URL", running.url)
        load_settings.cache_clear()
        yield running
    load_settings.cache_clear()


def failed() -> dict[str, Any]:
    instance = SimpleNamespace(
        dag_id="daily_market_data", task_id="asset.gate_bronze", map_index=1, run_id="run-1"
    )
    return {"ti": instance, "exception": QUARANTINED}


def test_a_failed_task_is_told_to_the_webhook_and_the_log(
    hook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    task_failed(failed())
    (alert,) = hook.received
    assert alert["subject"] == "daily_market_data.asset.gate_bronze[1] failed"
    assert "24 of 24 rows" in alert["text"]
    assert "24 of 24 rows" in caplog.text
    assert "secret-path" not in caplog.text


def test_a_missed_deadline_is_told_too(hook: Webhook) -> None:
    run = {"dag_id": "daily_market_data", "dag_run_id": "run-1"}
    asyncio.run(deadline_missed(context={"dag_run": run}))
    (alert,) = hook.received
    assert alert["subject"] == "daily_market_data (run-1) is late"


def test_a_webhook_that_refuses_is_logged_without_its_address(
    hook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    hook.status = 500
    caplog.set_level(logging.DEBUG)
    task_failed(failed())
    assert "could not be passed on (HTTPStatusError)" in caplog.text
    assert "secret-path" not in caplog.text
