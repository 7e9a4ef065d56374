"""Who is told when a task has failed for good, or a run is late: the log, a webhook, an e-mail."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import httpx

from lakehouse.settings import Alerts, load_settings

log = logging.getLogger(__name__)
# It logs the address of each call, and the webhook's is a secret.
logging.getLogger("httpx").setLevel(logging.WARNING)


def task_failed(context: Mapping[str, Any]) -> None:
    """Failure callback of every task; Airflow calls it when no retry is left."""
    instance, error = context["ti"], context.get("exception")
    place = f"{instance.dag_id}.{instance.task_id}"
    if instance.map_index is not None and instance.map_index >= 0:
        place += f"[{instance.map_index}]"
    tell(f"{place} failed", f"{place} of run {instance.run_id} failed: {error}")


async def deadline_missed(**facts: Any) -> None:
    """Deadline callback; runs in the triggerer, beside the run that goes on."""
    run = (facts.get("context") or {}).get("dag_run") or {}
    place = f"{run.get('dag_id', 'A run')} ({run.get('dag_run_id', 'unknown run')})"
    tell(f"{place} is late", f"{place} has missed its deadline and goes on.")


def tell(subject: str, message: str) -> None:
    """Log the alert and pass it on as the settings say. Its own failure fails nothing else."""
    alerts = load_settings().airflow.alerts
    log.error("ALERT %s: %s", subject, message)
    try:
        _pass_on(alerts, subject, message)
    except Exception as error:
        # Not its text: it may hold the webhook's address, which is a secret.
        log.error("The alert could not be passed on (%s).", type(error).__name__)


def _pass_on(alerts: Alerts, subject: str, message: str) -> None:
    if alerts.notifier == "webhook" and alerts.webhook_url:
        body = {"text": f"{subject}\n{message}", "subject": subject}
        address = alerts.webhook_url.get_secret_value()
        httpx.post(address, json=body, timeout=10).raise_for_status()
    elif alerts.notifier == "email":
        from airflow.providers.smtp.hooks.smtp import SmtpHook

        with SmtpHook() as hook:
            hook.send_email_smtp(to=list(alerts.email_to), subject=subject, html_content=message)
