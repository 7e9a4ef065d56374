"""Trades: a frame of the feed becomes lines of the journal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from lakehouse.producers.lines import rejected_lines, time_line
from lakehouse.producers.occurrences import Occurrences
from lakehouse.producers.rejected import (
    NOT_JSON,
    rejected_row,
    utc_text,
)
from lakehouse.producers.texts import texts_of
from lakehouse.producers.trade_rules import (
    NOT_A_TRADE,
    parsed_fields,
    reasons_against,
    unfinished_message,
)
from lakehouse.streams.rows import TRADE_SCHEMA

PROVIDER = "finnhub"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a frame: lines for the journal, and how many trades came for nothing, why."""

    lines: bytes = b""
    received: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    is_ping: bool = False
    error: str | None = None


class TradeReader:
    """Reads one connection's frames, in their order. `source` is the feed without its token."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._occurrences = Occurrences()

    def read(self, frame: bytes, received_us: int) -> Outcome:
        try:
            content = orjson.loads(frame)
        except orjson.JSONDecodeError:
            return self._refused(frame, received_us, NOT_JSON)
        kind = content.get("type") if type(content) is dict else None
        if kind == "ping":
            return Outcome(is_ping=True)
        if kind == "error":
            return Outcome(error=str(content.get("msg")))
        trades = content.get("data") if kind == "trade" else None
        if type(trades) is not list:
            return self._refused(frame, received_us, NOT_A_TRADE)
        return self._read(trades, frame, received_us) if trades else Outcome()

    def _read(self, trades: list[Any], frame: bytes, received_us: int) -> Outcome:
        good, bad = [], []
        count = self._occurrences.count
        for place, trade in enumerate(trades):
            message = unfinished_message(trade)
            if message is None:
                bad.append(place)
                continue
            before = count(message)
            good.append(b"%d%b" % (before, message) if before else message)
        lines = time_line(received_us)
        if good:
            end = b',"processed_at":"%b"}\n' % utc_text(received_us).encode()
            lines += end.join(good) + end
        if not bad:
            return Outcome(lines, len(trades))
        texts = texts_of(trades, frame)
        records = [self._rejected(trades[place], texts[place], received_us) for place in bad]
        reasons = Counter(record["reason"] for record in records)
        return Outcome(lines + rejected_lines(records), len(trades), reasons)

    def _refused(self, frame: bytes, received_us: int, reason: str) -> Outcome:
        raw = frame.decode(errors="replace")
        record = self._row({}, received_us, raw, [reason])
        return Outcome(time_line(received_us) + rejected_lines([record]), 1, {reason: 1})

    def _rejected(self, trade: Any, raw: str, received_us: int) -> dict[str, Any]:
        fields = parsed_fields(trade) if type(trade) is dict else {}
        return self._row(fields, received_us, raw, reasons_against(trade))

    def _row(
        self, fields: dict[str, Any], received_us: int, raw: str, reasons: list[str]
    ) -> dict[str, Any]:
        return rejected_row(
            TRADE_SCHEMA,
            {**fields, "occurrence": 0, "processed_at": utc_text(received_us)},
            provider=PROVIDER,
            source=self._source,
            received_us=received_us,
            raw=raw,
            reasons=reasons,
        )
