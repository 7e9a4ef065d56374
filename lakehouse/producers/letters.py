"""Dead letters of a producer: one for each five seconds, provider and set of reasons.

They are written when the five seconds are over, from the journal, which is not confirmed beyond the
first record that has no letter yet. So what is read again after a crash makes the same letters.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from lakehouse.dead_letters.letter import path_of, write_letter
from lakehouse.producers.journal import Position

WINDOW_SECONDS = 5


class _Group:
    """What was rejected in one window, as JSON; `start` is the place of the first."""

    def __init__(self, start: Position) -> None:
        self.start = start
        self.records: dict[tuple[str, str], list[bytes]] = defaultdict(list)


class Letters:
    """The letters of one stream on their way into the folder of its table."""

    def __init__(self, lake: Path, stream: str, table: str) -> None:
        self._lake = lake
        self._stream = stream
        self._table = table
        self._groups: dict[int, _Group] = {}

    @property
    def unwritten_from(self) -> Position | None:
        """Where the first record stands that has no letter yet."""
        return min((group.start for group in self._groups.values()), default=None)

    def add(self, place: Position, line: bytes) -> None:
        """A rejected line of the journal: a row of the table, its `reason` and its `provider`."""
        record = orjson.loads(line)
        window = _window(datetime.fromisoformat(record["received_at"]).timestamp())
        group = self._groups.setdefault(window, _Group(place))
        group.records[record["provider"], record["reason"]].append(line)

    def write(self, before: float) -> None:
        """The letters of all windows that ended before that time. Raises DeadLetterError."""
        self._write_windows([window for window in self._groups if window < _window(before)])

    def write_all(self) -> None:
        """The letters of what is left. Raises DeadLetterError."""
        self._write_windows(list(self._groups))

    def _write_windows(self, windows: list[int]) -> None:
        for window in windows:
            group = self._groups[window]
            place = f"{group.start.segment}-{group.start.offset}"
            when = datetime.fromtimestamp(window * WINDOW_SECONDS, UTC)
            for (provider, reason), lines in group.records.items():
                batch_id = f"{self._stream}-{provider}-{when:%Y%m%dT%H%M%S}-{place}"
                self._write(provider, batch_id, reason, lines)
            del self._groups[window]

    def _write(self, provider: str, batch_id: str, reason: str, lines: list[bytes]) -> None:
        now = datetime.now(UTC)
        context = {
            "asset_pair": None,
            "timeframe": None,
            "provider": provider,
            "table": self._table,
            "batch_id": batch_id,
            "source": orjson.loads(lines[0])["source"],
        }
        head = {"timestamp": now.isoformat(), "error": reason, "context": context}
        records = (_record(line, batch_id) for line in lines)
        path = path_of(self._lake, self._table, batch_id, reason, now)
        write_letter(path, head, records)


def _window(moment: float) -> int:
    return int(moment // WINDOW_SECONDS)


def _record(line: bytes, batch_id: str) -> dict[str, Any]:
    record: dict[str, Any] = orjson.loads(line)
    del record["provider"]
    return {**record, "batch_id": batch_id}
