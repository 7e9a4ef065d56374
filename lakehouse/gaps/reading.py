"""Reading the gap ledger: which candles are known to be absent, and how far that knowledge goes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lakehouse import ops
from lakehouse.settings import Settings

NOT_FETCHED, OUTAGE, NO_TRADE = "not_fetched", "outage", "no_trade"
REJECTED, DELISTED = "rejected", "delisted"
GAP_CLASSES = (NOT_FETCHED, OUTAGE, NO_TRADE, REJECTED, DELISTED)
GAPS, COVERAGE = "ops.gaps", "ops.coverage"
SERIES = ("asset_pair", "timeframe", "provider")

Series = tuple[str, str, str]  # asset_pair, timeframe, provider


@dataclass(frozen=True, slots=True)
class Gap:
    """A maximal run of expected candles of a series that are absent for one reason.

    `start` is when the first of them opens, `end` when the last one closes. `detail` is empty where
    the class says all that is known.
    """

    asset_pair: str
    timeframe: str
    provider: str
    start: datetime
    end: datetime
    gap_class: str
    candles: int
    detail: str
    recorded_at: datetime

    @property
    def series(self) -> Series:
        return self.asset_pair, self.timeframe, self.provider


@dataclass(frozen=True, slots=True)
class Horizon:
    """How far the ledger knows a series: from the first to the last moment ever asked for or
    landed. Every expected candle in between is in bronze or in one gap.

    The candles named are the first and the last one that passed the gate, with or without trades;
    None before the first.
    """

    asset_pair: str
    timeframe: str
    provider: str
    known_from: datetime
    known_to: datetime
    first_candle: datetime | None
    last_candle: datetime | None
    updated_at: datetime

    @property
    def series(self) -> Series:
        return self.asset_pair, self.timeframe, self.provider


def read_gaps(
    settings: Settings,
    assets: Iterable[str] | None = None,
    timeframes: Iterable[str] | None = None,
    providers: Iterable[str] | None = None,
) -> list[Gap]:
    """The gaps of those assets, timeframes and providers (None: all), by series and time."""
    where = _where(assets, timeframes, providers)
    found = ops.query(settings, GAPS, f"SELECT * FROM rows{where}")
    return sorted((_gap(row) for row in found), key=lambda gap: (gap.series, gap.start))


def read_coverage(
    settings: Settings,
    assets: Iterable[str] | None = None,
    timeframes: Iterable[str] | None = None,
    providers: Iterable[str] | None = None,
) -> list[Horizon]:
    """How far each of those series (None: all) is known, by series."""
    where = _where(assets, timeframes, providers)
    found = ops.query(settings, COVERAGE, f"SELECT * FROM rows{where}")
    return sorted((Horizon(**row) for row in found), key=lambda horizon: horizon.series)


def _gap(row: dict[str, Any]) -> Gap:
    return Gap(
        asset_pair=row["asset_pair"],
        timeframe=row["timeframe"],
        provider=row["provider"],
        start=row["gap_start"],
        end=row["gap_end"],
        gap_class=row["gap_class"],
        candles=row["candles"],
        detail=row["detail"] or "",
        recorded_at=row["recorded_at"],
    )


def _where(*wanted: Iterable[str] | None) -> str:
    conditions = [
        f"{column} IN ({texts(values)})"
        for column, values in zip(SERIES, wanted, strict=True)
        if values is not None
    ]
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def texts(values: Iterable[str]) -> str:
    """SQL literals, with commas between; NULL for none."""
    quoted = ["'" + value.replace("'", "''") + "'" for value in sorted(set(values))]
    return ", ".join(quoted) or "NULL"
