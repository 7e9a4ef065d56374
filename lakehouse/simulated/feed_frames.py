"""Frames of the trade feed: whole ones, and the extra ones and extra trades that are broken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import orjson

ANY = ""  # the symbol of a frame that goes to everybody who has subscribed to anything
MISSING = object()
BROKEN_FIELDS: tuple[tuple[str, Any], ...] = (
    ("p", MISSING),
    ("p", None),
    ("p", -1.5),
    ("p", 0),
    ("p", "n/a"),
    ("v", MISSING),
    ("v", 0),
    ("v", [1]),
    ("t", MISSING),
    ("t", "soon"),
    ("s", MISSING),
    ("s", None),
)
HTML = "<html><body><h1>502 Bad Gateway</h1></body></html>"


@dataclass(frozen=True, slots=True)
class Frame:
    """What a source plays at once: good trades as JSON objects, or a recorded line as it was."""

    symbol: str
    good: Sequence[bytes]
    bad: int = 0
    malformed: int = 0
    line: str | None = None

    @property
    def cost(self) -> int:
        """How many trades it counts for in the rate."""
        return max(1, len(self.good) + self.bad)


class Source(Protocol):
    """Where the trades come from."""

    @property
    def is_done(self) -> bool: ...

    def next(self, limit: int) -> Frame | None:
        """A frame of at most `limit` trades where that can be chosen; None when there is none."""


def frame_text(trades: Sequence[bytes]) -> str:
    """The frame as Finnhub writes it."""
    return f'{{"data":[{b",".join(trades).decode()}],"type":"trade"}}'


def with_broken(
    good: Sequence[bytes], share: float, played: int, random: np.random.Generator
) -> list[bytes]:
    """The trades with broken ones between them, as many as the share says by chance.

    `played` is how many there were before, so that every way of being broken has its turn.
    """
    trades = list(good)
    for number in range(int(random.binomial(len(good), share))):
        model = good[int(random.integers(len(good)))]
        at = int(random.integers(len(trades) + 1))
        trades.insert(at, _broken(model, played + number))
    return trades


def _broken(trade: bytes, number: int) -> bytes:
    name, value = BROKEN_FIELDS[number % len(BROKEN_FIELDS)]
    fields = orjson.loads(trade) | {name: value}
    return orjson.dumps({key: fields[key] for key in fields if fields[key] is not MISSING})


def malformed_text(body: str, number: int) -> str:
    """A frame that cannot be read, in turn of every kind."""
    kinds = (
        body[: len(body) // 2],
        HTML,
        '{"type":"advice","data":[]}',
        '{"type":"trade","data":{"p":1}}',
        '{"type":"trade"}',
    )
    return kinds[number % len(kinds)]


def is_good(trade: Any) -> bool:
    """Whether a trade keeps all the rules."""
    return (
        isinstance(trade, dict)
        and isinstance(trade.get("s"), str)
        and isinstance(trade.get("t"), int)
        and _is_positive(trade.get("p"))
        and _is_positive(trade.get("v"))
    )


def _is_positive(figure: Any) -> bool:
    return isinstance(figure, int | float) and figure > 0
