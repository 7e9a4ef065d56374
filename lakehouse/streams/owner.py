"""Whose query it is: a query at the engine outlives the job that started it, and must not.

The job writes its token beside the checkpoint and touches it while it lives; each micro-batch looks
before it lands anything.
"""

from __future__ import annotations

import time
import uuid
from pathlib import Path

from lakehouse.errors import StreamFailed
from lakehouse.settings import Settings
from lakehouse.streams.stream import Stream

SILENT_SECONDS = 120


class Owner:
    """A job's claim to a stream; the last one to claim it has it."""

    def __init__(self, settings: Settings, stream: Stream) -> None:
        self.stream = stream.name
        self.file = owner_file(settings, stream)
        self.token = uuid.uuid4().hex

    def claim(self) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        draft = self.file.with_name(f"{self.file.name}.{self.token}")
        draft.write_text(self.token)
        draft.replace(self.file)

    def touch(self) -> bool:
        """Say that the job lives; whether the stream is still its."""
        if self.holds():
            self.file.touch()
            return True
        return False

    def holds(self) -> bool:
        try:
            return self.file.read_text() == self.token
        except OSError:
            return False

    def demand(self) -> None:
        """Raises StreamFailed unless the claim holds and the job lives."""
        if not self.holds():
            problem = "it was stopped, or another job took it over."
            raise StreamFailed(stream=self.stream, problem=problem)
        if time.time() - self.file.stat().st_mtime > SILENT_SECONDS:
            raise StreamFailed(stream=self.stream, problem="its job is gone.")


def owner_file(settings: Settings, stream: Stream) -> Path:
    return stream.home(settings) / "owner"


def disown(settings: Settings, stream: Stream) -> None:
    """End whatever still lands the stream, with its next micro-batch."""
    owner_file(settings, stream).unlink(missing_ok=True)
