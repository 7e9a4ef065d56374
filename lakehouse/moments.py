"""Moments as a person writes them."""

from __future__ import annotations

from datetime import UTC, datetime

from lakehouse.errors import InvalidWindow


def parse_moment(text: str, flag: str) -> datetime:
    """An ISO date or time; UTC unless it names another offset. Raises InvalidWindow."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        problem = f"{flag} {text!r} is not a time like 2026-01-31 or 2026-01-31T12:00"
        raise InvalidWindow(problem=problem) from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
