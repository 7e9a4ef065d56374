"""The queue of dead letters: what is in it, one of it, and taking one out by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import structlog

from lakehouse.dead_letters.letter import ARCHIVE, PATTERN, DeadLetter, open_letter
from lakehouse.errors import DeadLetterError, UnknownDeadLetter, UnreadableDeadLetter

log = structlog.get_logger(__name__)


def list_dead_letters(
    lake: Path,
    table: str | None = None,
    reason: str | None = None,
    since: datetime | None = None,
    limit: int | None = None,
) -> tuple[list[DeadLetter], list[UnreadableDeadLetter]]:
    """Letters, newest first, and the files that cannot be read.

    `table` is a full name or one without its layer, `reason` a part of the reasons' text,
    `since` the earliest time of writing.
    """
    unreadable: list[UnreadableDeadLetter] = []
    chosen = (
        letter
        for letter in _readable(_files(lake, table), unreadable)
        if (reason is None or reason.lower() in letter.error.lower())
        and (since is None or letter.timestamp >= _as_utc(since))
    )
    letters = sorted(chosen, key=lambda letter: (letter.timestamp, letter.name), reverse=True)
    return list(islice(letters, limit)), unreadable


def _files(lake: Path, table: str | None) -> Iterator[Path]:
    name = table.rpartition(".")[2] if table else "*"
    for path in sorted((lake / "dlq").glob(f"{name}/{PATTERN}")):
        if path.parent.name != ARCHIVE:
            yield path


def _readable(
    files: Iterator[Path], unreadable: list[UnreadableDeadLetter]
) -> Iterator[DeadLetter]:
    for path in files:
        try:
            yield open_letter(path)
        except UnreadableDeadLetter as error:
            log.warning("dead_letter_unreadable", path=str(path), problem=error.problem)
            unreadable.append(error)


def _as_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def find_dead_letter(lake: Path, name: str) -> DeadLetter:
    """The letter of that name, or whose name ends so (its eight digits are enough).

    Raises UnknownDeadLetter, UnreadableDeadLetter.
    """
    wanted = Path(name).name.removesuffix(".json")
    found = [path for path in _files(lake, None) if wanted and path.stem.endswith(wanted)]
    if len(found) != 1:
        raise UnknownDeadLetter(name=name)
    return open_letter(found[0])


def discard(lake: Path, letter: DeadLetter) -> Path:
    """Move a letter to the archive; its new path. Raises DeadLetterError."""
    target = lake / "dlq" / ARCHIVE / letter.path.parent.name / letter.path.name
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        return letter.path.replace(target)
    except OSError as error:
        problem = error.strerror or str(error)
        what = f"The dead letter {letter.path} cannot be moved to {target}: {problem}."
        raise DeadLetterError(what=what) from error
