"""Fields that several forms have."""

from __future__ import annotations

from airflow.sdk import Param


def moment(title: str, description: str) -> Param:
    """A date and time, UTC, that may be left empty."""
    return Param(
        None, type=["null", "string"], format="date-time", title=title, description=description
    )
