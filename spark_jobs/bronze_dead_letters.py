"""Replay dead letters: through the same gate again, and on into the tables if they pass now."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from lakehouse import pipeline
from lakehouse.backfill.request import parse_moment
from lakehouse.cli import main as command_line
from lakehouse.dead_letters import DeadLetter, find_dead_letter, list_dead_letters
from lakehouse.settings import Settings

log = logging.getLogger(__name__)


def chosen(settings: Settings, form: Mapping[str, Any]) -> list[DeadLetter]:
    """The letters that the form names, else those that its filters leave.

    Raises UnknownDeadLetter, UnknownTable or InvalidWindow.
    """
    if form["letters"]:
        return [find_dead_letter(settings.lake, name) for name in form["letters"]]
    since = parse_moment(form["since"], "Since") if form["since"] else None
    letters, unreadable = list_dead_letters(
        settings.lake, form["table"], form["reason"], since, form["limit"]
    )
    for error in unreadable:
        log.warning("%s", error)
    return letters


def replay(settings: Settings, letters: list[DeadLetter]) -> dict[str, Any]:
    """Gate the letters' rows again, publish what passes and build what that changes."""
    if not letters:
        log.info("No dead letter matches.")
        return {"letters": 0, "rows_landed": 0, "rows_failing": 0}
    done = pipeline.replay_dead_letters(settings, letters)
    counts = (len(letters), done.passed, done.failed, len(done.kept))
    log.info("%d letters: %d rows landed, %d fail again, %d letters stay.", *counts)
    return {"letters": len(letters), "rows_landed": done.passed, "rows_failing": done.failed}


def main(argv: Sequence[str]) -> None:
    """The flags are those of `lakehouse dlq replay`, and so are the exit codes."""
    command_line(["dlq", "replay", *argv])


if __name__ == "__main__":
    main(sys.argv[1:])
