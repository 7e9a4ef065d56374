"""What the exchange does wrong on request: to whole answers, and to single candles.

Whole answers fail by the hash of (seed, URL, how often that URL was asked), so that the same calls
meet the same faults in whatever order they come. Unless everything is to fail, no URL fails more
than `in_a_row` times running: three attempts get through.
"""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from hashlib import blake2b
from pathlib import Path
from threading import Lock
from typing import Annotated

from pydantic import AfterValidator, Field, field_validator

from lakehouse.settings import SimulatedExchange
from lakehouse.simulated.pairs import pair_of
from lakehouse.simulated.recording import SUFFIXES


def _known_symbol(symbol: str) -> str:
    if pair_of(symbol) is None:
        raise ValueError(f"{symbol} names no pair")
    return symbol


class Faults(SimulatedExchange):
    """The shares of the settings, and what only a test asks for.

    `symbols`, in any dialect, keeps all faults to those pairs. `now_ms` stops the exchange's clock.
    `delisted` symbols are unknown to it. `quiet_minutes` is the share of minutes without a trade.
    `keep_log` keeps every good trade of the feed, to be listed.
    """

    symbols: tuple[Annotated[str, AfterValidator(_known_symbol)], ...] = ()
    delisted: tuple[Annotated[str, AfterValidator(_known_symbol)], ...] = ()
    slow_seconds: float = Field(default=0.5, ge=0)
    retry_after_seconds: int = Field(default=1, ge=0)
    in_a_row: int = Field(default=2, ge=1)
    quiet_minutes: float = Field(default=0, ge=0, le=1)
    now_ms: int | None = None
    keep_log: bool = False

    @field_validator("recording")
    @classmethod
    def _playable(cls, recording: Path | None) -> Path | None:
        if recording and not (recording.is_file() and recording.name.endswith(SUFFIXES)):
            raise ValueError(f"{recording} is no file that ends in {', '.join(SUFFIXES)}")
        return recording

    def touch(self, pair_name: str) -> bool:
        """Whether this pair is among those that meet faults."""
        return not self.symbols or pair_name in _names(self.symbols)

    def lists(self, pair_name: str) -> bool:
        return pair_name not in _names(self.delisted)


def _names(symbols: tuple[str, ...]) -> set[str]:
    return {pair.name for symbol in symbols if (pair := pair_of(symbol))}


class Fault(StrEnum):
    SERVER_ERROR = "server_errors"
    RATE_LIMIT = "rate_limits"
    MALFORMED_JSON = "malformed_json"
    SLOW_ANSWER = "slow_answers"


class FaultPlan:
    """Decides call by call, and counts what it decided."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.played: Counter[str] = Counter()
        self._asked: Counter[str] = Counter()
        self._running: Counter[str] = Counter()
        self._lock = Lock()

    def next(self, url: str) -> Fault | None:
        """The fault that the next answer to `url` shall have, if any."""
        shares = [(fault, float(getattr(self.faults, fault))) for fault in Fault]
        total = sum(share for _, share in shares)
        if total == 0:
            return None
        with self._lock:
            fault = self._draw(url, shares)
            if fault and total < 1 and self._running[url] >= self.faults.in_a_row:
                fault = None
            self._running[url] = self._running[url] + 1 if fault else 0
            self.played[fault or "none"] += 1
            return fault

    def _draw(self, url: str, shares: list[tuple[Fault, float]]) -> Fault | None:
        self._asked[url] += 1
        chance = uniform(self.faults.seed, url, self._asked[url])
        for fault, share in shares:
            if chance < share:
                return fault
            chance -= share
        return None


def uniform(*facts: object) -> float:
    """A number in [0, 1) that depends on the facts alone."""
    digest = blake2b(repr(facts).encode(), digest_size=7).digest()
    return int.from_bytes(digest, "big") / 2**56
