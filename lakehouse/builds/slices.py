"""Slices: a build takes in long histories piece by piece, in the order of time.

An increment gives what a build over everything gives, so a history of any length costs no more
memory than one slice of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from functools import reduce
from itertools import groupby
from operator import itemgetter

from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.builds.arrivals import Arrival
from lakehouse.candle_files import CandleFile, candle_files
from lakehouse.engine import is_sail
from lakehouse.settings import Settings
from lakehouse.tables import bronze_table

CANDLES_ON_SAIL = 6_000_000  # it grows to 5 GiB with them
# Of each GiB of its heap Spark bears so many; fewer of one asset, for a series is one value there.
CANDLES_A_GIB = 650_000
OF_AN_ASSET_A_GIB = 170_000
GIB = {"k": 2**-20, "m": 2**-10, "g": 1.0}


@dataclass(frozen=True, slots=True)
class Most:
    """How many candles a slice may have."""

    candles: int
    of_an_asset: int

    def holds(self, candles: Counter[str]) -> bool:
        """Whether a slice may be as large; the candles by asset pair."""
        longest = max(candles.values(), default=0)
        return candles.total() <= self.candles and longest <= self.of_an_asset


@dataclass(frozen=True, slots=True)
class Slice:
    """What arrived before `until`, exclusive; None where nothing comes after."""

    number: int
    arrivals: list[Arrival]
    until: datetime | None

    @property
    def is_first(self) -> bool:
        return self.number == 0


def slices(session: SparkSession, settings: Settings, arrivals: list[Arrival]) -> list[Slice]:
    """The arrivals cut at midnights, each slice with about `build.slice_candles` at most, or, where
    that is not set, with what the engine bears."""
    most = _most(settings)
    if most.holds(_at_most(settings, arrivals)):
        return [Slice(0, arrivals, None)]
    return list(_cut(arrivals, _midnights(_candles_by_day(session, arrivals), most)))


def _most(settings: Settings) -> Most:
    if chosen := settings.build.slice_candles:
        return Most(chosen, chosen)
    if is_sail(settings):
        return Most(CANDLES_ON_SAIL, CANDLES_ON_SAIL)
    heap = settings.spark.driver_memory
    gib = float(heap[:-1]) * GIB[heap[-1]]
    return Most(int(CANDLES_A_GIB * gib), int(OF_AN_ASSET_A_GIB * gib))


def _at_most(settings: Settings, arrivals: list[Arrival]) -> Counter[str]:
    """By asset pair, the rows of the files that may hold what arrived, as the logs tell."""
    files = {name: _files(settings, name) for name in {arrival.timeframe for arrival in arrivals}}
    found: Counter[str] = Counter()
    for arrival in arrivals:
        of_asset = files[arrival.timeframe].get(arrival.asset_pair, [])
        may_hold = [file for file in of_asset if file.may_hold(arrival.since)]
        found[arrival.asset_pair] += sum(file.rows for file in may_hold)
    return found


def _files(settings: Settings, timeframe: str) -> dict[str, list[CandleFile]]:
    return candle_files(DeltaTable(str(bronze_table(timeframe).path(settings.lake))))


def _candles_by_day(
    session: SparkSession, arrivals: list[Arrival]
) -> Iterator[tuple[date, Counter[str]]]:
    """In the order of time, how many arrived, by asset pair."""
    days = reduce(DataFrame.unionAll, (_days(session, arrival) for arrival in arrivals))
    counted = days.groupBy("day", "asset_pair").count().orderBy("day").toArrow().to_pylist()
    for day, rows in groupby(counted, key=itemgetter("day")):
        yield day, Counter({row["asset_pair"]: row["count"] for row in rows})


def _days(session: SparkSession, arrival: Arrival) -> DataFrame:
    candles = session.table(bronze_table(arrival.timeframe).full_name)
    is_of_asset = F.col("partition_asset_pair") == F.lit(arrival.asset_pair)
    has_arrived = F.col("timestamp") >= F.lit(arrival.since)
    day = F.to_date("timestamp").alias("day")
    return candles.where(is_of_asset & has_arrived).select(day, "asset_pair")


def _midnights(
    candles_by_day: Iterable[tuple[date, Counter[str]]], most: Most
) -> Iterator[datetime]:
    taken: Counter[str] = Counter()
    for day, candles in candles_by_day:
        if taken and not most.holds(taken + candles):
            yield datetime.combine(day, time(), UTC)
            taken = Counter()
        taken += candles


def _cut(arrivals: list[Arrival], midnights: Iterator[datetime]) -> Iterator[Slice]:
    rest, number = arrivals, 0
    for number, midnight in enumerate(midnights, start=1):
        yield Slice(number - 1, [a for a in rest if a.since < midnight], midnight)
        rest = [replace(arrival, since=max(arrival.since, midnight)) for arrival in rest]
    yield Slice(number, rest, None)
