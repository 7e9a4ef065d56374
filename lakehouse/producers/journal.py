"""The journal: what was accepted, on disk until the broker has it.

Append-only segment files of about 16 MB, and a file that says up to where everything is confirmed.
One thread appends, another reads and confirms. A segment is deleted once all of it is confirmed.

It outlives the process, killed at any instant; it is not synced to the disk, so a power cut may
take the last seconds. A position that is lost or too old makes the same lines read again.
"""

from __future__ import annotations

import contextlib
import json
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from lakehouse.errors import StreamFailed

SEGMENT_BYTES = 16 * 1024 * 1024
LOCK_SECONDS = 15
SUFFIX = ".log"


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A byte of the journal: the number of its segment, and where it is there."""

    segment: int
    offset: int


class Journal:
    """The journal of one stream. Only one process may have it open."""

    def __init__(self, folder: Path, stream: str, segment_bytes: int = SEGMENT_BYTES) -> None:
        """Open it where it was left. Raises StreamFailed."""
        self._folder = folder
        self._stream = stream
        self._segment_bytes = segment_bytes
        self._arrived = threading.Event()
        self._lock = FileLock(folder.with_suffix(".lock"))
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=LOCK_SECONDS)
            self._open()
        except Timeout:
            raise self._failed("another process has its journal open") from None
        except OSError as error:
            raise self._failed(f"its journal cannot be opened: {error.strerror}") from None

    def _open(self) -> None:
        segments = self._segments()
        if segments:
            _cut_torn_line(self._path(segments[-1]))
        saved = self._saved()
        # A new segment each time: a byte's position never means two things.
        self._end = self._start_segment(max([0, saved.segment, *segments]) + 1)
        first = Position((self._segments() or [1])[0], 0)
        self.confirmed = self._normal(max(saved, first))

    def append(self, lines: bytes) -> None:
        """Add whole lines, all or none. Raises StreamFailed: then they are not accepted."""
        end = self._end
        try:
            if end.offset >= self._segment_bytes:
                self._file.close()
                self._end = end = self._start_segment(end.segment + 1)
            if self._file.write(lines) != len(lines):
                raise OSError(0, "the disk is full")
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.truncate(end.offset)
            raise self._failed(f"its journal cannot be written: {error.strerror}") from None
        self._end = Position(end.segment, end.offset + len(lines))
        if not self._arrived.is_set():
            self._arrived.set()

    def read(self, position: Position, at_most: int) -> tuple[bytes, Position, Position]:
        """Whole lines from there on, where they begin and where they end; none at the very end.

        They are of one segment, and of at most so many bytes if a single line is no longer.
        """
        start = self._normal(position)
        size = self._size(start.segment)
        with self._path(start.segment).open("rb") as file:
            while True:
                file.seek(start.offset)
                data = file.read(min(at_most, size - start.offset))
                whole = data.rfind(b"\n") + 1
                if whole or start.offset + len(data) >= size:
                    break
                at_most *= 2
        return data[:whole], start, Position(start.segment, start.offset + whole)

    def wait(self, seconds: float) -> None:
        """Until something was appended since the last wait, or so long."""
        self._arrived.wait(seconds)
        self._arrived.clear()

    def confirm(self, position: Position) -> None:
        """Everything before it has been dealt with and need not be read again.

        Raises StreamFailed.
        """
        position = self._normal(position)
        if position == self.confirmed:
            return
        self._save(position)
        self.confirmed = position
        for segment in self._segments():
            if segment < position.segment:
                self._path(segment).unlink(missing_ok=True)

    def backlog_bytes(self) -> int:
        """How much is not confirmed yet."""
        confirmed = self.confirmed
        ahead = [segment for segment in self._segments() if segment >= confirmed.segment]
        return max(0, sum(map(self._size, ahead)) - confirmed.offset)

    def close(self) -> None:
        self._file.close()
        self._lock.release()

    @property
    def _position_file(self) -> Path:
        return self._folder.with_name("position.json")

    def _saved(self) -> Position:
        try:
            return Position(**json.loads(self._position_file.read_text()))
        except (OSError, ValueError, TypeError):
            return Position(0, 0)

    def _save(self, position: Position) -> None:
        draft = self._position_file.with_suffix(".tmp")
        try:
            draft.write_text(json.dumps(asdict(position)))
            draft.replace(self._position_file)
        except OSError as error:
            raise self._failed(f"its position cannot be written: {error.strerror}") from None

    def _start_segment(self, number: int) -> Position:
        self._file = self._path(number).open("ab", buffering=0)
        return Position(number, 0)

    def _normal(self, position: Position) -> Position:
        """The same place, said as the beginning of the next segment if it is the end of one."""
        end = self._end
        while position.segment < end.segment and position.offset >= self._size(position.segment):
            position = Position(position.segment + 1, 0)
        return position

    def _size(self, segment: int) -> int:
        end = self._end
        if segment == end.segment:
            return end.offset
        try:
            return self._path(segment).stat().st_size
        except FileNotFoundError:
            return 0

    def _segments(self) -> list[int]:
        names = (path.stem for path in self._folder.glob(f"*{SUFFIX}"))
        return sorted(int(name) for name in names if name.isdigit())

    def _path(self, segment: int) -> Path:
        return self._folder / f"{segment:08d}{SUFFIX}"

    def _failed(self, problem: str) -> StreamFailed:
        return StreamFailed(stream=self._stream, problem=problem)


def _cut_torn_line(path: Path) -> None:
    """What a crash left behind the last whole line was never accepted."""
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        with path.open("r+b") as file:
            file.truncate(whole)
