"""Candles broken on request, each kind breaking one expectation of the gates.

Which candles, and how, depends on the seed, the pair, the timeframe and the candle's time alone:
whoever asks again gets the same broken candle, and `corrupted` lists them without asking.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lakehouse.simulated.faults import Faults, uniform
from lakehouse.simulated.pairs import Pair

KINDS = (
    "high_below_low",
    "open_outside",
    "close_outside",
    "null_field",
    "not_a_number",
    "negative_volume",
    "price_zero",
    "price_too_high",
    "misaligned",
    "duplicate",
)
FIELDS = ("open", "high", "low", "close", "volume")
PRICES = FIELDS[:4]
NOT_NUMBERS = ("n/a", "NaN", "", "1,234.5")


@dataclass(frozen=True, slots=True)
class Corruption:
    """A candle that is broken: its true opening time in ms, how, and which field if it is one."""

    timestamp: int
    kind: str
    field: str | None = None


@dataclass(slots=True)
class Row:
    """A candle as it is about to be written: texts, None, or what a corruption made of them."""

    timestamp: int
    open: str | None
    high: str | None
    low: str | None
    close: str | None
    volume: str | None
    turnover: float
    trades: int


def corruption_of(faults: Faults, pair: Pair, step_ms: int, timestamp: int) -> Corruption | None:
    if faults.corrupted_candles == 0 or not faults.touch(pair.name):
        return None
    facts = (faults.seed, pair.name, step_ms, timestamp)
    if uniform("is corrupted", *facts) >= faults.corrupted_candles:
        return None
    kind = KINDS[int(uniform("kind", *facts) * len(KINDS))]
    field = FIELDS[int(uniform("field", *facts) * len(FIELDS))]
    return Corruption(timestamp, kind, field if kind in ("null_field", "not_a_number") else None)


def corrupted(
    faults: Faults, pair: Pair, step_ms: int, timestamps: Iterable[int]
) -> list[Corruption]:
    """Those among the candles that open at `timestamps` that are served broken."""
    found = (corruption_of(faults, pair, step_ms, timestamp) for timestamp in timestamps)
    return [corruption for corruption in found if corruption]


def corrupt(row: Row, corruption: Corruption, *, decimals: int) -> list[Row]:
    """The rows that are served instead of `row`: one, or two for a duplicate."""
    match corruption.kind:
        case "high_below_low":
            low = _scaled(row.high, 1.02, decimals)
            row.high, row.low = row.low, low
        case "open_outside":
            row.open = _scaled(row.low, 0.95, decimals)
        case "close_outside":
            row.close = _scaled(row.high, 1.05, decimals)
        case "null_field":
            setattr(row, corruption.field or "close", None)
        case "not_a_number":
            text = NOT_NUMBERS[int(uniform(corruption) * len(NOT_NUMBERS))]
            setattr(row, corruption.field or "close", text)
        case "negative_volume":
            row.volume = "-" + (row.volume or "") if row.trades else "-1.00000000"
        case "price_zero":
            row.open = row.high = row.low = row.close = "0.00000000"
        case "price_too_high":
            row.open, row.close, row.low = "2000000.00", "2500000.00", "1900000.00"
            row.high = "2600000.00"
        case "misaligned":
            row.timestamp += 1000
        case "duplicate":
            return [row, _other_values(row, decimals)]
    return [row]


def _other_values(row: Row, decimals: int) -> Row:
    prices = {field: _scaled(getattr(row, field), 1.001, decimals) for field in PRICES}
    return Row(row.timestamp, **prices, volume=row.volume, turnover=row.turnover, trades=row.trades)


def _scaled(text: str | None, factor: float, decimals: int) -> str:
    return f"{float(text or 0) * factor:.{decimals}f}"
