"""Recordings as a source of trades: Finnhub's frames as captured, or freqtrade's trades."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from lakehouse.simulated.feed_frames import ANY, Frame, is_good

SUFFIXES = (".jsonl", ".json", ".json.gz")
FRAME_TRADES = 100


class RecordedFrames:
    """A `.jsonl` of Finnhub frames, each sent as it is."""

    def __init__(self, path: Path) -> None:
        self._lines = self._read(path)
        self.is_done = False

    @staticmethod
    def _read(path: Path) -> Iterator[str]:
        with path.open(encoding="utf-8") as lines:
            yield from (stripped for line in lines if (stripped := line.rstrip("\r\n")))

    def next(self, limit: int) -> Frame | None:
        line = next(self._lines, None)
        if line is None:
            self.is_done = True
            return None
        return _as_recorded(line)


class RecordedTrades:
    """freqtrade's trades, `[ms, id, type, side, price, amount, cost]`, in frames of a few."""

    def __init__(self, path: Path) -> None:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        self._rows = orjson.loads(content)
        self._symbol = f"BINANCE:{path.name.split('-')[0].replace('_', '')}"
        self._at = 0

    @property
    def is_done(self) -> bool:
        return self._at >= len(self._rows)

    def next(self, limit: int) -> Frame | None:
        rows = self._rows[self._at : self._at + min(limit, FRAME_TRADES)]
        self._at += len(rows)
        return Frame(ANY, [self._trade(row) for row in rows]) if rows else None

    def _trade(self, row: list[Any]) -> bytes:
        time_ms, _, _, _, price, amount, *_ = row
        return orjson.dumps({"c": None, "p": price, "s": self._symbol, "t": time_ms, "v": amount})


def recording(path: Path) -> RecordedFrames | RecordedTrades:
    return RecordedFrames(path) if path.suffix == ".jsonl" else RecordedTrades(path)


def _as_recorded(line: str) -> Frame:
    try:
        message = orjson.loads(line)
    except orjson.JSONDecodeError:
        return Frame(ANY, [], malformed=1, line=line)
    match message:
        case {"type": "trade", "data": [*trades]}:
            good = [orjson.dumps(trade) for trade in trades if is_good(trade)]
            return Frame(ANY, good, bad=len(trades) - len(good), line=line)
        case {"type": "ping" | "error"}:
            return Frame(ANY, [], line=line)
    return Frame(ANY, [], malformed=1, line=line)
