"""silver.trade_aggregates: brought up to bronze commit by commit, each exactly once.

The version of bronze that is in it is written with its rows, as Delta's application transaction, so
that whoever comes next, after whatever happened, goes on where it stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import polars as pl
from deltalake import DeltaTable

from lakehouse.commits import actions_of
from lakehouse.conflicts import again_on_conflict
from lakehouse.settings import Settings
from lakehouse.streams.candles import KEY, WINDOW_START, candles_of
from lakehouse.streams.hours import note, put
from lakehouse.streams.known import hours_of, read_between, read_files, root_of
from lakehouse.streams.stream import TRADES

TRADE = ["symbol", "timestamp", "price", "volume", "offset", "is_outlier", "is_late"]
ON_TIME, LATE = "raw_trades", "raw_trades late"
NO_TRADES = pl.DataFrame(schema={"symbol": pl.String, "is_late": pl.Boolean})
HOUR, MICROSECOND = timedelta(hours=1), timedelta(microseconds=1)


@again_on_conflict()
def take_in(settings: Settings) -> int:
    """Bring in what bronze got since, but for what was too late; the candles that changed.

    The caller holds the stream's lock.
    """
    bronze, silver = _tables(settings)
    since, until = _taken_in(silver, ON_TIME), bronze.version()
    try:
        trades = _read(_added(bronze, since, until))
    except FileNotFoundError:
        return _rebuild(settings, bronze, silver)
    on_time = trades.filter(~pl.col("is_late"))
    if on_time.is_empty():
        if until > since:
            note(silver, {ON_TIME: until})
        return 0
    return put(settings, silver, candles_of(on_time), {ON_TIME: until})


def bring_in_late(settings: Settings) -> int:
    """Compute the minutes anew for which trades came too late; the candles that changed.

    It takes the stream's lock.
    """
    paths = (table.path(settings.lake) for table in (TRADES.bronze, TRADES.silver))
    if not all(DeltaTable.is_deltatable(str(path)) for path in paths):
        return 0
    with TRADES.lock(settings):
        # What is on time must be in first, for these minutes are computed from all of bronze.
        take_in(settings)
        return _bring_in_late(settings)


@again_on_conflict()
def _bring_in_late(settings: Settings) -> int:
    bronze, silver = _tables(settings)
    since, until = _taken_in(silver, LATE), bronze.version()
    try:
        late = _read(_added(bronze, since, until)).filter("is_late")
    except FileNotFoundError:
        return _rebuild(settings, bronze, silver)
    if late.is_empty():
        if until > since:
            note(silver, {LATE: until})
        return 0
    minutes = late.select("symbol", WINDOW_START).unique()
    return put(settings, silver, _computed(bronze, minutes), {LATE: until}, is_whole=True)


def _rebuild(settings: Settings, bronze: DeltaTable, silver: DeltaTable) -> int:
    """All candles anew, hour by hour: what says since when is gone from the log or the disk."""
    changed, versions = 0, {}
    hours = hours_of(bronze)
    for number, first in enumerate(hours, start=1):
        if number == len(hours):
            versions = {ON_TIME: bronze.version(), LATE: bronze.version()}
        trades = _in_order(read_between(bronze, first, first + HOUR - MICROSECOND, TRADE))
        changed += put(settings, silver, candles_of(trades), versions, is_whole=True)
        silver.update_incremental()
    return changed


def _computed(bronze: DeltaTable, minutes: pl.DataFrame) -> pl.DataFrame:
    """The candles of those minutes (KEY), from all that bronze has of them."""
    parts = []
    for (hour,), group in minutes.group_by(pl.col("window_start").dt.truncate("1h")):
        first: Any = hour
        found = read_between(bronze, first, first + HOUR - MICROSECOND, TRADE)
        wanted = found.with_columns(WINDOW_START).join(group.select(KEY), on=KEY, how="semi")
        parts.append(candles_of(_in_order(wanted)))
    return pl.concat(parts)


def _tables(settings: Settings) -> tuple[DeltaTable, DeltaTable]:
    paths = (table.path(settings.lake) for table in (TRADES.bronze, TRADES.silver))
    bronze, silver = (DeltaTable(str(path)) for path in paths)
    return bronze, silver


def _taken_in(silver: DeltaTable, name: str) -> int:
    version = silver.transaction_version(name)
    return -1 if version is None else version


def _read(files: list[str]) -> pl.DataFrame:
    return _in_order(read_files(files, TRADE)) if files else NO_TRADES


def _in_order(trades: pl.DataFrame) -> pl.DataFrame:
    # A trade that was mended by hand may never have been in Kafka.
    return trades.with_columns(pl.col("offset").fill_null(-1))


def _added(bronze: DeltaTable, since: int, until: int) -> list[str]:
    """Files that commits after `since` brought, up to `until`; compaction brings nothing new."""
    root = root_of(bronze)
    names = (name for version in range(since + 1, until + 1) for name in _added_by(root, version))
    return [str(root / name) for name in names]


def _added_by(root: Path, version: int) -> Iterator[str]:
    for action in actions_of(root, version):
        added = action.get("add")
        if added and added.get("dataChange", True):
            yield unquote(added["path"])
