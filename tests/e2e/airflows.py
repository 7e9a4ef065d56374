"""A real Airflow on a lake of its own, asked as a person or a script would ask it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from lakehouse.orchestrator import SignIn, signed_in
from lakehouse.places import PROJECT
from lakehouse.simulated.running import RunningExchange, running_exchange
from tests.e2e.lakes import Lake, Ran, new_lake
from tests.orchestration.webhooks import Webhook, running_webhook

ASSETS = ("BTCUSD", "ETHUSD")
CANDLES_A_DAY = 24 + 6 + 1
# Short waits, few candles, and no run that nobody asked for; all else is as people get it.
SETTINGS = {
    "LAKEHOUSE__AIRFLOW__PORT": "0",
    "LAKEHOUSE__AIRFLOW__RETRY_SECONDS": "1",
    "LAKEHOUSE__BACKFILL__TIMEFRAMES": '["1h", "4h", "1d"]',
    # Missed by every run, so that it is seen to alert; not where pictures are taken for people.
    "LAKEHOUSE__AIRFLOW__DEADLINE_MINUTES": (
        "120" if "LAKEHOUSE_SCREENSHOTS" in os.environ else "0.1"
    ),
    "LAKEHOUSE__AIRFLOW__ALERTS__NOTIFIER": "webhook",
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
}
ENDED = ("success", "failed")
DAGS = len(list((PROJECT / "dags").glob("*.py")))


@dataclass(frozen=True, slots=True)
class Airflow:
    """A running Airflow, its lake, the exchange that its tasks ask, and the webhook they alert."""

    lake: Lake
    exchange: RunningExchange
    webhook: Webhook
    sign_in: SignIn
    client: httpx.Client

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """An answer of the REST API, which must be a good one."""
        answer = self.client.request(method, f"/api/v2{path}", json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def unpause(self, dag_id: str) -> None:
        self.ask("PATCH", f"/dags/{dag_id}", {"is_paused": False})

    def trigger(self, dag_id: str, form: dict[str, Any] | None = None, day: str = "") -> str:
        """Trigger a run, for that day if one is given; its id."""
        date = f"{day}T00:00:00Z" if day else datetime.now(UTC).isoformat()
        body = {"conf": form or {}, "logical_date": date}
        return str(self.ask("POST", f"/dags/{dag_id}/dagRuns", body)["dag_run_id"])

    def forget(self, dag_id: str, run_id: str) -> None:
        path = f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}"
        assert self.client.delete(path).is_success

    def runs(self, dag_id: str) -> dict[str, str]:
        """State of every run by its id."""
        found = self.ask("GET", f"/dags/{dag_id}/dagRuns?limit=50")["dag_runs"]
        return {run["dag_run_id"]: run["state"] for run in found}

    def first_run(self, dag_id: str, seconds: float = 120) -> str:
        """Wait until the DAG has a run; its id."""
        deadline = time.monotonic() + seconds
        while not (runs := self.runs(dag_id)):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        return min(runs)

    def wait(self, dag_id: str, run_id: str, seconds: float = 600) -> str:
        """Wait until the run has ended; how it did."""
        deadline = time.monotonic() + seconds
        while (state := self.runs(dag_id)[run_id]) not in ENDED:
            assert time.monotonic() < deadline, self.states(dag_id, run_id)
            time.sleep(1)
        return state

    def wait_for_backfill(self, dag_id: str, seconds: float = 180) -> None:
        """Wait until Airflow has noticed that the backfill of a DAG is done."""
        deadline = time.monotonic() + seconds
        while any(
            backfill["completed_at"] is None
            for backfill in self.ask("GET", f"/backfills?dag_id={dag_id}")["backfills"]
        ):
            assert time.monotonic() < deadline
            time.sleep(1)

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        path = f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}/taskInstances"
        return list(self.ask("GET", path)["task_instances"])

    def states(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        """State of every task; a mapped one is named with what it is for."""
        return {
            task["task_id"] + (f"[{name}]" if (name := task["rendered_map_index"]) else ""): (
                task["state"]
            )
            for task in self.tasks(dag_id, run_id)
        }

    def log(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> str:
        """What the last try of a task wrote."""
        (task,) = (
            task
            for task in self.tasks(dag_id, run_id)
            if (task["task_id"], task["map_index"]) == (task_id, map_index)
        )
        run = f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}/taskInstances/{task_id}"
        answer = self.ask("GET", f"{run}/logs/{task['try_number']}?map_index={map_index}")
        return "\n".join(str(line["event"]) for line in answer["content"])


def sign_in_of(ran: Ran) -> SignIn:
    """What `lakehouse up` says of how to sign in."""
    assert ran.code == 0, ran.err
    (line,) = (line for line in ran.out.splitlines() if line.startswith("Airflow: "))
    _, url, _, user, _, password = line.split()
    return SignIn(url, user, password)


@contextmanager
def running_airflow(root: Path) -> Iterator[Airflow]:
    """Airflow on an empty lake, with Sail; it has found its DAGs."""
    with (
        running_exchange() as exchange,
        running_webhook() as webhook,
        new_lake(
            root,
            "sail",
            LAKEHOUSE__PROVIDERS__SIMULATED__BASE_URL=exchange.base_url("binance"),
            LAKEHOUSE__AIRFLOW__ALERTS__WEBHOOK_URL=webhook.url,
            **SETTINGS,
        ) as lake,
    ):
        sign_in = sign_in_of(lake.run("up"))
        with signed_in(sign_in) as client:
            airflow = Airflow(lake, exchange, webhook, sign_in, client)
            deadline = time.monotonic() + 180
            while airflow.ask("GET", "/dags")["total_entries"] < DAGS:
                assert time.monotonic() < deadline, airflow.ask("GET", "/importErrors")
                time.sleep(1)
            yield airflow
