"""A dead letter: rows that were refused for the same reasons, as one JSON file a person can read.

    {"timestamp": …, "error": …, "context": {…}, "records": [
    {… the row as it arrived …, "reason": "high < low"},
    …
    ]}

One record a line, so that a letter of any size is counted and read without holding it in memory.
Any other JSON layout with the same keys is read, too: people mend letters in editors.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lakehouse.errors import DeadLetterError, UnreadableDeadLetter

ARCHIVE = "archive"
PATTERN = "dlq_*.json"
LAST_LINE = b"\n]}\n"
READ_WHOLE_BYTES = 1_000_000
Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What is known of a letter without its records. `attempts` counts the replays it failed."""

    path: Path
    timestamp: datetime
    error: str
    context: Mapping[str, str | None]
    records: int
    attempts: int = 0
    last_replayed_at: datetime | None = None

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def table(self) -> str:
        """Full name of the table its rows were meant for."""
        return str(self.context["table"])

    @property
    def batch_id(self) -> str:
        return str(self.context["batch_id"])

    def read_records(self) -> Iterator[Record]:
        """Its records, one at a time. Raises UnreadableDeadLetter."""
        try:
            yield from _records(self.path)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise unreadable(self.path, error) from None


def folder_of(lake: Path, table: str) -> Path:
    """Where the letters of `bronze.raw_market_data_1m` are."""
    return lake / "dlq" / table.rpartition(".")[2]


def identity(table: str, batch_id: str, error: str) -> str:
    """Eight hex digits: the same for the same batch and reasons, whenever and by whom written."""
    return hashlib.sha256("\n".join((table, batch_id, error)).encode()).hexdigest()[:8]


def path_of(lake: Path, table: str, batch_id: str, error: str, now: datetime) -> Path:
    """The letter this batch already has for these reasons, or a new one."""
    folder = folder_of(lake, table)
    suffix = identity(table, batch_id, error)
    for path in sorted(folder.glob(PATTERN.replace("*", f"*_{suffix}"))):
        if _is_letter_of(path, batch_id, error):
            return path
    moment = now.astimezone(UTC).strftime("%Y-%m-%dT%H-%M-%S.%fZ")
    return folder / f"dlq_{moment}_{suffix}.json"


def _is_letter_of(path: Path, batch_id: str, error: str) -> bool:
    """Whether it is this one, for eight digits may coincide; a torn one is not in the way."""
    try:
        letter = open_letter(path)
    except UnreadableDeadLetter:
        return False
    return letter.batch_id == batch_id and letter.error == error


def open_letter(path: Path) -> DeadLetter:
    """The letter of that file. Raises UnreadableDeadLetter."""
    try:
        head, records = _head(path)
        replay = head.get("replay", {})
        last = replay.get("last_replayed_at")
        return DeadLetter(
            path=path,
            timestamp=datetime.fromisoformat(head["timestamp"]),
            error=str(head["error"]),
            context={"table": None, "batch_id": None, **head["context"]},
            records=records,
            attempts=int(replay.get("attempts", 0)),
            last_replayed_at=datetime.fromisoformat(last) if last else None,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise unreadable(path, error) from None


def unreadable(path: Path, error: Exception) -> UnreadableDeadLetter:
    missing = f"{error} is missing" if isinstance(error, KeyError) else str(error)
    return UnreadableDeadLetter(path=path, problem=missing)


def read_head(path: Path) -> dict[str, Any]:
    """Everything but the records. Raises UnreadableDeadLetter."""
    try:
        return _head(path)[0]
    except (OSError, ValueError, KeyError) as error:
        raise unreadable(path, error) from None


def _is_ours(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - len(LAST_LINE)))
        return file.read() == LAST_LINE


def _head(path: Path) -> tuple[dict[str, Any], int]:
    """Everything but the records, and how many those are."""
    if path.stat().st_size > READ_WHOLE_BYTES and _is_ours(path):
        with path.open("rb") as file:
            head = json.loads(file.readline() + b"]}")
            return head, sum(1 for _ in file) - 1
    head = json.loads(path.read_bytes())
    return head, len(head.pop("records"))


def _records(path: Path) -> Iterator[Record]:
    if path.stat().st_size <= READ_WHOLE_BYTES or not _is_ours(path):
        yield from json.loads(path.read_bytes())["records"]
        return
    with path.open("rb") as file:
        file.readline()
        for line in file:
            if line != LAST_LINE[1:]:
                yield json.loads(line.rstrip(b",\n"))


def write_letter(path: Path, head: Mapping[str, Any], records: Iterable[Record]) -> int:
    """Write or replace a letter, all of it or nothing; how many records it has.

    `head` has every key but `records`. Raises DeadLetterError.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("w", encoding="utf-8") as file:
            count = _write(file, head, records)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink()
        problem = error.strerror or str(error)
        raise DeadLetterError(
            what=f"The dead letter {path} cannot be written: {problem}."
        ) from error
    return count


def _write(file: Any, head: Mapping[str, Any], records: Iterable[Record]) -> int:
    file.write(as_json(head)[:-1] + ', "records": [')
    count = 0
    for count, record in enumerate(records, start=1):
        file.write(("," if count > 1 else "") + "\n" + as_json(record))
    file.write("\n]}\n")
    return count


def as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _sync_folder(folder: Path) -> None:
    # A rename survives a power cut only once its folder is on disk, too.
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
