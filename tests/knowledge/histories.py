"""Random histories of candles, how they are written to a lake, and what was known: by brute force.

A candle's value is a number, kept in `close`; it may be replaced, withdrawn, and come back.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyarrow as pa
from deltalake import write_deltalake

from lakehouse.ops import now
from lakehouse.releases import Release, record
from lakehouse.settings import Settings
from lakehouse.tables import Table, table_named
from lakehouse.timeframes import step

ENRICHED = "silver.market_data_enriched"
COMPANION = "silver.market_data_superseded"
START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
TYPES = {
    "string": pa.string(),
    "double": pa.float64(),
    "int": pa.int32(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "date": pa.date32(),
}


@dataclass(frozen=True)
class Value:
    """What a candle said in the half-open time [known_from, known_until)."""

    asset_pair: str
    timeframe: str
    timestamp: datetime
    close: float
    known_from: datetime
    known_until: datetime | None
    created_at: datetime
    is_first: bool  # of all values of its candle

    def is_known(self, moment: datetime, known_at_close: bool = False) -> bool:
        is_from_close = known_at_close and self.is_first
        is_learnt = is_from_close or self.known_from <= moment
        is_current = self.known_until is None or moment < self.known_until
        return self.closed_at <= moment and is_learnt and is_current

    @property
    def closed_at(self) -> datetime:
        return self.timestamp + step(self.timeframe)

    @property
    def key(self) -> tuple[str, str, datetime]:
        return self.asset_pair, self.timeframe, self.timestamp


def random_history(seed: int, candles: int = 20) -> list[Value]:
    """Of two assets in two timeframes; builds happen at full and at half hours."""
    dice = random.Random(seed)  # noqa: S311 - it must repeat itself
    return [
        value
        for asset_pair in ("BTCUSD", "ETHUSD")
        for timeframe in ("1h", "4h")
        for number in range(candles)
        if dice.random() < 0.9
        for value in _revisions(dice, asset_pair, timeframe, START + number * step(timeframe))
    ]


def _revisions(
    dice: random.Random, asset_pair: str, timeframe: str, timestamp: datetime
) -> Iterator[Value]:
    moment = timestamp + dice.choice([0.5, 1, 1, 1.5, 4, 9, 60]) * HOUR
    born, is_first = moment, True
    for left in reversed(range(dice.choice([1, 1, 1, 2, 2, 3]))):
        until = moment + dice.choice([0.5, 1, 3, 12, 40]) * HOUR
        is_withdrawn = dice.random() < 0.25
        end = until if left or is_withdrawn else None
        close = float(dice.randrange(1, 10**6))
        yield Value(asset_pair, timeframe, timestamp, close, moment, end, born, is_first)
        moment, is_first = until, False
        if is_withdrawn:
            moment = until + dice.choice([0.5, 2, 20]) * HOUR
            born = moment


def write(settings: Settings, history: Iterable[Value], has_companion: bool = True) -> None:
    """The present values to the table, the others to the one beside it, if there is one."""
    values = list(history)
    present = [value for value in values if value.known_until is None]
    replaced = [value for value in values if value.known_until is not None]
    write_rows(settings, table_named(ENRICHED), map(_present_row, present))
    if has_companion:
        write_rows(settings, table_named(COMPANION), map(_replaced_row, replaced))


def write_rows(settings: Settings, table: Table, rows: Iterable[dict[str, object]]) -> None:
    schema = pa.schema([(column.name, TYPES[column.type]) for column in table.columns])
    data = pa.Table.from_pylist(list(rows), schema=schema)
    path = table.path(settings.lake)
    write_deltalake(str(path), data, mode="append", partition_by=list(table.partition_by))


def _row(value: Value) -> dict[str, object]:
    return {
        "asset_pair": value.asset_pair,
        "timeframe": value.timeframe,
        "timestamp": value.timestamp,
        "close": value.close,
    }


def _present_row(value: Value) -> dict[str, object]:
    return {**_row(value), "created_at": value.created_at, "updated_at": value.known_from}


def _replaced_row(value: Value) -> dict[str, object]:
    return {
        **_row(value),
        "known_from": value.known_from,
        "known_until": value.known_until,
        "is_first": value.known_from == value.created_at,
        "created_at": value.known_until,
        "updated_at": value.known_until,
    }


def record_release(settings: Settings, name: str, versions: dict[str, int]) -> None:
    """A release with these versions of tables, as a build records one."""
    rows, no_bronze = dict.fromkeys(versions, 1), dict.fromkeys(versions, "{}")
    built_at = dict.fromkeys(versions, START)
    record(settings, Release(name, "named", now(), None, versions, rows, no_bronze, built_at))


def known_then(
    history: Iterable[Value], moment: datetime, known_at_close: bool = False
) -> dict[tuple[str, str, datetime], float]:
    """Close by asset, timeframe and opening time."""
    known = [value for value in history if value.is_known(moment, known_at_close)]
    assert len({value.key for value in known}) == len(known)
    return {value.key: value.close for value in known}


def feature_then(
    history: Iterable[Value],
    asset_pair: str | None,
    timeframe: str,
    moment: datetime | None,
    known_at_close: bool = False,
) -> tuple[datetime, float] | None:
    """Opening time and close of the latest candle that was known then."""
    known = (
        (value.timestamp, value.close)
        for value in history
        if moment is not None
        and (value.asset_pair, value.timeframe) == (asset_pair, timeframe)
        and value.is_known(moment, known_at_close)
    )
    return max(known, default=None)
