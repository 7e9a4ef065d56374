"""What bronze brought since the last build, read from Delta's own log.

A build notes the bronze versions it took in. The files that later commits added tell, by their
partition and statistics, from which candle on each asset and timeframe has news; a late candle
counts like a new one. The cost follows the commits since, not the table.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deltalake import DeltaTable
from pyspark.sql import SparkSession

from lakehouse import ops
from lakehouse.commits import actions_of, version_of
from lakehouse.engine import register_tables
from lakehouse.settings import Settings
from lakehouse.tables import Table, bronze_table
from lakehouse.timeframes import EPOCH, TIMEFRAMES, step

Versions = dict[str, int]
SILVER = "silver.market_data_enriched"


@dataclass(frozen=True, slots=True)
class Arrival:
    """An asset and timeframe with news; `since` is the first candle that is new or changed."""

    asset_pair: str
    timeframe: str
    since: datetime


def bronze_versions(settings: Settings) -> Versions:
    """Present version of each bronze candle table that exists, by timeframe."""
    paths = {timeframe: bronze_table(timeframe).path(settings.lake) for timeframe in TIMEFRAMES}
    present = {timeframe: version_of(path) for timeframe, path in paths.items()}
    return {name: version for name, version in present.items() if version is not None}


def find_arrivals(settings: Settings, built: Versions, present: Versions) -> list[Arrival]:
    """Assets and timeframes with news between the built and the present bronze versions."""
    return [
        Arrival(asset_pair, timeframe, since)
        for timeframe, version in present.items()
        for asset_pair, since in sorted(
            _news(settings, bronze_table(timeframe), built.get(timeframe, -1), version).items()
        )
    ]


def _news(settings: Settings, table: Table, built: int, present: int) -> dict[str, datetime]:
    since: dict[str, datetime] = {}
    for version in range(built + 1, present + 1):
        try:
            actions = actions_of(table.path(settings.lake), version)
        except FileNotFoundError:
            # Log clean-up was here before the build: everything may be new.
            return dict.fromkeys(_assets(settings, table), EPOCH)
        for asset_pair, first in _changed_files(actions):
            since[asset_pair] = min(first, since.get(asset_pair, first))
    return since


def _changed_files(actions: list[dict[str, Any]]) -> Iterator[tuple[str, datetime]]:
    for action in actions:
        file = action.get("add") or action.get("remove")
        if file and file.get("dataChange", True):
            yield file["partitionValues"]["partition_asset_pair"], _first_timestamp(file)


def _first_timestamp(file: dict[str, Any]) -> datetime:
    statistics = json.loads(file.get("stats") or "{}")
    first = statistics.get("minValues", {}).get("timestamp")
    return datetime.fromisoformat(first) if first else EPOCH


def _assets(settings: Settings, table: Table) -> list[str]:
    partitions = DeltaTable(str(table.path(settings.lake))).partitions()
    return sorted({partition["partition_asset_pair"] for partition in partitions})


@dataclass(frozen=True, slots=True)
class Settled:
    """A table's candles of an arrival's series: before its first one, within the usual lookback,
    and from that one on."""

    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Recorded:
    """Rows of ops.arrivals. `is_all_new`: the table holds nothing that they could change."""

    rows: list[dict[str, Any]]
    is_all_new: bool

    def earliest(self, column: str) -> dict[str, str]:
        """By timeframe, the earliest time in that column."""
        earliest: dict[str, str] = {}
        for row in self.rows:
            time = f"{row[column]:%Y-%m-%d %H:%M:%S}"
            earliest[row["timeframe"]] = min(time, earliest.get(row["timeframe"], time))
        return earliest

    def closed_since(self) -> dict[str, datetime]:
        """By asset pair, when the first candle closes that is new or changed."""
        closed: dict[str, datetime] = {}
        for row in self.rows:
            closes = row["since"] + step(row["timeframe"])
            closed[row["asset_pair"]] = min(closes, closed.get(row["asset_pair"], closes))
        return closed


def record_arrivals(
    session: SparkSession,
    settings: Settings,
    build_id: str,
    arrivals: list[Arrival],
    candles: str = SILVER,
) -> Recorded:
    """Write ops.arrivals, with the settled candles each recomputation must look back on.

    `candles` is the table of one row per candle that the arrivals come to.
    """
    from lakehouse.indicators import LOOKBACK

    settled = _settled(session, arrivals, candles)
    rows = [
        {
            "build_id": build_id,
            "asset_pair": arrival.asset_pair,
            "timeframe": arrival.timeframe,
            "since": arrival.since,
            # A series with gaps or a short history looks back on all of it.
            "lookback_from": _lookback(arrival) if settled[arrival].before >= LOOKBACK else EPOCH,
        }
        for arrival in arrivals
    ]
    ops.append(settings, "ops.arrivals", rows)
    # The session must know the table, which may have been written for the first time.
    register_tables(session, settings)
    return Recorded(rows, all(found.after == 0 for found in settled.values()))


def _lookback(arrival: Arrival) -> datetime:
    from lakehouse.indicators import LOOKBACK

    return max(EPOCH, arrival.since - 2 * LOOKBACK * step(arrival.timeframe))


def _settled(
    session: SparkSession, arrivals: list[Arrival], candles: str
) -> dict[Arrival, Settled]:
    nothing = dict.fromkeys(arrivals, Settled(0, 0))
    if not session.catalog.tableExists(candles):
        return nothing
    session.createDataFrame(
        [(a.asset_pair, a.timeframe, _lookback(a), a.since) for a in arrivals],
        "asset_pair string, timeframe string, first timestamp, since timestamp",
    ).createOrReplaceTempView("lookbacks")
    first = min(_lookback(arrival) for arrival in arrivals)
    counted = session.sql(
        "SELECT s.asset_pair, s.timeframe, l.since, "
        "count(CASE WHEN s.timestamp < l.since THEN 1 END) AS before, "
        "count(CASE WHEN s.timestamp >= l.since THEN 1 END) AS after "
        f"FROM {candles} AS s INNER JOIN lookbacks AS l "
        "ON s.asset_pair = l.asset_pair AND s.timeframe = l.timeframe AND s.timestamp >= l.first "
        f"WHERE s.timestamp >= timestamp'{first:%Y-%m-%d %H:%M:%S}' "
        "GROUP BY s.asset_pair, s.timeframe, l.since"
    ).toArrow()
    found = {
        Arrival(row["asset_pair"], row["timeframe"], row["since"]): Settled(
            row["before"], row["after"]
        )
        for row in counted.to_pylist()
    }
    return nothing | found
