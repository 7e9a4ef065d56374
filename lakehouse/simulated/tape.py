"""The tape: every frame of the feed once, in order, for readers who each are somewhere on it.

A reader who comes back starts earlier on it and so misses nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from itertools import islice
from typing import NamedTuple

from lakehouse.simulated.feed_frames import ANY

MOST_CHARACTERS = 256 * 1024 * 1024  # half a minute at the highest rate


class Dropped(Exception):
    """The server ends a connection without a word."""


class Kept(NamedTuple):
    seconds: float  # of the monotonic clock, when it was emitted
    symbol: str
    body: str


class Tape:
    """Frames from number `first` to before number `end`; the earlier ones are forgotten."""

    def __init__(self) -> None:
        self._kept: deque[Kept] = deque()
        self._characters = 0
        self.first = 0
        self.readers: set[Reader] = set()

    @property
    def end(self) -> int:
        return self.first + len(self._kept)

    def __getitem__(self, number: int) -> Kept:
        return self._kept[number - self.first]

    def append(self, symbol: str, body: str) -> None:
        self._kept.append(Kept(time.monotonic(), symbol, body))
        self._characters += len(body)
        for reader in self.readers:
            reader.is_news.set()

    def forget(self, seconds: float) -> None:
        """Drop what everybody has read and is older than that, and more where it is too much."""
        unread = min((reader.at for reader in self.readers), default=self.end)
        while self._kept and (
            self._characters > MOST_CHARACTERS
            or (self.first < unread and self._kept[0].seconds < time.monotonic() - seconds)
        ):
            self._characters -= len(self._kept.popleft().body)
            self.first += 1

    def between(self, seconds: float, end: int) -> list[Kept]:
        """The frames of the last so many seconds, but only those before number `end`."""
        since = time.monotonic() - seconds
        before = islice(self._kept, max(0, end - self.first))
        return [kept for kept in before if kept.seconds >= since]


class Reader:
    """One connection's way along the tape: what it is told are the frames of its symbols."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._symbols: set[str] = set()
        self._earlier: deque[str] = deque()
        self.at = tape.end
        self.is_news = asyncio.Event()
        tape.readers.add(self)

    def subscribe(self, symbol: str, resend_seconds: float) -> None:
        """From now on, and before that what the last so many seconds brought."""
        new = {symbol, ANY} - self._symbols
        self._symbols |= new
        if resend_seconds:
            kept = self._tape.between(resend_seconds, self.at)
            self._earlier.extend(frame.body for frame in kept if frame.symbol in new)
        self.is_news.set()

    def unsubscribe(self, symbol: str) -> None:
        self._symbols.discard(symbol)
        if self._symbols == {ANY}:
            self._symbols.clear()

    async def next(self) -> str:
        while True:
            if self._earlier:
                return self._earlier.popleft()
            if self.at < self._tape.first:
                raise Dropped  # too slow: what it should read next is forgotten
            while self.at < self._tape.end:
                frame = self._tape[self.at]
                self.at += 1
                if frame.symbol in self._symbols:
                    return frame.body
            self.is_news.clear()
            await self.is_news.wait()

    def close(self) -> None:
        self._tape.readers.discard(self)
