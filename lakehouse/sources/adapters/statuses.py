"""What an HTTP status means, whichever client saw it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from lakehouse.sources.problems import Limited, Problem, Refused, Unavailable

TOO_MANY = {418, 429}  # 418 is Binance's ban for those who go on after 429
PASSING = {408, 423, 425}  # time-out, locked, too early: the only refusals that pass


def problem_of(status: int, text: str, headers: Mapping[str, str]) -> Problem | None:
    """The problem that a status stands for, None for success."""
    if status < 400:
        return None
    if status in TOO_MANY:
        return Limited(text, retry_after(headers))
    return Unavailable(text) if status >= 500 or status in PASSING else Refused(text)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait as the header says, be it a count or a date."""
    text = headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    moment = _date(text)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds()) if moment else None


def as_of(sent_at: datetime, headers: Mapping[str, str]) -> datetime:
    """The source's own time of the answer; where it does not say, when it was asked.

    Whether a candle is closed is for the source's clock to say. Our own may be ahead, and while an
    answer travels a candle that is open in it may close.
    """
    return _date(headers.get("Date", "")) or sent_at


def _date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
