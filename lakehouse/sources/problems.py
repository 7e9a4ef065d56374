"""What can go wrong with a single call, before it is known what that means for the request."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from lakehouse.errors import (
    BadAnswer,
    NoHistory,
    RateLimited,
    RequestRefused,
    SourceError,
    SourceUnavailable,
)
from lakehouse.sources.candles import CandleRequest

LONGEST_TEXT = 300


class Problem(Exception):
    """A call that gave no rows. Another attempt may help, unless the class says otherwise."""

    may_pass = True
    attempts = 1


class Unavailable(Problem):
    """A server error, a time-out, a broken connection."""


class Limited(Problem):
    """Too many calls. `seconds` is how long the source asks to wait, None if it does not say."""

    def __init__(self, text: str, seconds: float | None = None) -> None:
        super().__init__(text)
        self.seconds = seconds


class Malformed(Problem):
    """An answer that is not what the API's documentation promises."""


class Refused(Problem):
    """The source understood and said no; it will say so again."""

    may_pass = False


class TooOld(Problem):
    """The source no longer has the beginning of what was asked; `first` is what it has."""

    may_pass = False

    def __init__(self, first: datetime) -> None:
        super().__init__(first)
        self.first = first


def explained(
    problem: Problem, provider: str, request: CandleRequest, attempts: int, secrets: Iterable[str]
) -> SourceError:
    """The error a user sees for `problem`: short, and without secrets."""
    text = _tidy(str(problem), secrets)
    facts = {"provider": provider, "subject": request.subject}
    match problem:
        case Limited():
            return RateLimited(**facts, seconds=problem.seconds or "a few")
        case Malformed():
            return BadAnswer(**facts, problem=text)
        case Refused():
            return RequestRefused(**facts, problem=text)
        case TooOld():
            return NoHistory(**facts, first=problem.first, asked=request.start)
    return SourceUnavailable(**facts, attempts=attempts, problem=text)


def _tidy(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "***")
    text = " ".join(text.split()).rstrip(".")
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + " …"
