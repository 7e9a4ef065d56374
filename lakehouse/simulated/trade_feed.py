"""The trade feed: one stream of trades for everybody, from the first subscription on.

It goes on whether or not somebody listens: `trades_per_second` made-up trades of the symbols that
anybody has asked for, or a recording, played once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import orjson

from lakehouse.simulated.exchange import Exchange
from lakehouse.simulated.feed_frames import Frame, Source, frame_text, malformed_text, with_broken
from lakehouse.simulated.made_up_trades import MadeUpTrades
from lakehouse.simulated.pairs import Pair, traded_pair
from lakehouse.simulated.recording import recording
from lakehouse.simulated.tape import Tape

TICK_SECONDS = 0.02
IDLE_SECONDS = 0.25
LONGEST_STALL_SECONDS = 1.0


@dataclass(slots=True)
class Counts:
    """What was emitted, however often it was sent."""

    good: int = 0
    bad: int = 0
    malformed: int = 0


class TradeFeed:
    """The feed of one exchange, in the event loop that serves it."""

    def __init__(self, exchange: Exchange) -> None:
        self.tape = Tape()
        self._exchange = exchange
        self._symbols: dict[str, Pair] = {}
        self._counts = Counts()
        self._log: list[bytes] = []
        self._random = np.random.default_rng([exchange.faults.seed, 3])
        self._source: Source | None = None
        self._source_of: tuple[object, ...] = ()
        self._task: asyncio.Task[None] | None = None

    @property
    def resend_seconds(self) -> float:
        return self._exchange.faults.resend_seconds

    def join(self, symbol: str, pair: Pair) -> None:
        """Have this symbol traded from now on."""
        self._symbols[symbol] = pair
        if self._task is None or self._task.done():
            self._present_source()  # where it fails, whoever asked first shall see it
            self._task = asyncio.create_task(self._run())

    def state(self) -> dict[str, Any]:
        is_done = self._source is not None and self._source.is_done
        sent = self._counts.good + self._counts.bad
        return {"sent": sent, **asdict(self._counts), "is_done": is_done}

    async def logged(self) -> AsyncIterator[bytes]:
        """The good trades emitted while `keep_log` was on, as JSON lines of `[s, t, p, v]`."""
        for trades in self._log[:]:
            lines = [[t["s"], t["t"], t["p"], t["v"]] for t in orjson.loads(trades)]
            yield b"".join(orjson.dumps(line) + b"\n" for line in lines)

    async def _run(self) -> None:
        due, told = 0.0, time.monotonic()
        while True:
            await asyncio.sleep(self._pause())
            now = time.monotonic()
            due += min(now - told, LONGEST_STALL_SECONDS) * self._exchange.faults.trades_per_second
            due, told = self._play(due), now
            self.tape.forget(self.resend_seconds)

    def _pause(self) -> float:
        rate = self._exchange.faults.trades_per_second
        return min(max(TICK_SECONDS, 1 / rate), IDLE_SECONDS) if rate else IDLE_SECONDS

    def _play(self, due: float) -> float:
        """Emit as many trades as are due; return what is left over."""
        source = self._present_source()
        while due >= 1:
            frame = source.next(int(due))
            if frame is None:
                return 0.0
            self._emit(frame)
            due -= frame.cost
        return due

    def _present_source(self) -> Source:
        faults = self._exchange.faults
        if self._source is None or self._source_of != (faults.recording, faults.seed):
            path = faults.recording
            self._source = recording(path) if path else MadeUpTrades(self._exchange, self._symbols)
            self._source_of = (path, faults.seed)
        return self._source

    def _emit(self, frame: Frame) -> None:
        body = frame.line if frame.line is not None else self._spoilt(frame)
        self.tape.append(frame.symbol, body)
        self._counts.good += len(frame.good)
        self._counts.bad += frame.bad
        self._counts.malformed += frame.malformed
        if self._exchange.faults.keep_log and frame.good:
            self._log.append(b"[%b]" % b",".join(frame.good))
        share = self._exchange.faults.malformed_frames
        if share and self._is_touched(frame) and self._random.random() < share:
            self.tape.append(frame.symbol, malformed_text(body, self._counts.malformed))
            self._counts.malformed += 1

    def _spoilt(self, frame: Frame) -> str:
        share = self._exchange.faults.bad_trades
        if not share or not self._is_touched(frame):
            return frame_text(frame.good)
        trades = with_broken(frame.good, share, self._counts.bad, self._random)
        self._counts.bad += len(trades) - len(frame.good)
        return frame_text(trades)

    def _is_touched(self, frame: Frame) -> bool:
        """Whether the faults are for this frame's pair; what has none they spare if they choose."""
        pair = traded_pair(frame.symbol)
        return self._exchange.faults.touch(pair.name if pair else frame.symbol)
