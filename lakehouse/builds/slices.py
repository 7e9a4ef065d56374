"""Slices: a build takes in long histories piece by piece, in the order of time.

An increment gives what a build over everything gives, so a history of any length costs no more
memory than one slice of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from functools import reduce

from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.builds.arrivals import Arrival
from lakehouse.candle_files import CandleFile, candle_files
from lakehouse.engine import is_sail
from lakehouse.settings import Settings
from lakehouse.tables import bronze_table

# What a heap of 3 GiB bears, and what makes Sail grow to 5 GiB.
MOST_CANDLES = {"spark": 500_000, "sail": 6_000_000}


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
    that is not set, with MOST_CANDLES of the engine."""
    engine = "sail" if is_sail(settings) else "spark"
    most = settings.build.slice_candles or MOST_CANDLES[engine]
    if _most_candles(settings, arrivals) <= most:
        return [Slice(0, arrivals, None)]
    return list(_cut(arrivals, _midnights(_candles_by_day(session, arrivals), most)))


def _most_candles(settings: Settings, arrivals: list[Arrival]) -> int:
    """Rows of the files that may hold what arrived, from the tables' own statistics."""
    files = {name: _files(settings, name) for name in {arrival.timeframe for arrival in arrivals}}
    return sum(
        file.rows
        for arrival in arrivals
        for file in files[arrival.timeframe]
        if file.may_hold(arrival.asset_pair, arrival.since)
    )


def _files(settings: Settings, timeframe: str) -> list[CandleFile]:
    return candle_files(DeltaTable(str(bronze_table(timeframe).path(settings.lake))))


def _candles_by_day(session: SparkSession, arrivals: list[Arrival]) -> list[tuple[date, int]]:
    days = reduce(DataFrame.unionAll, (_days(session, arrival) for arrival in arrivals))
    counted = days.groupBy("day").count().orderBy("day").toArrow().to_pylist()
    return [(row["day"], row["count"]) for row in counted]


def _days(session: SparkSession, arrival: Arrival) -> DataFrame:
    candles = session.table(bronze_table(arrival.timeframe).full_name)
    is_of_asset = F.col("partition_asset_pair") == F.lit(arrival.asset_pair)
    has_arrived = F.col("timestamp") >= F.lit(arrival.since)
    return candles.where(is_of_asset & has_arrived).select(F.to_date("timestamp").alias("day"))


def _midnights(candles_by_day: list[tuple[date, int]], most: int) -> Iterator[datetime]:
    taken = 0
    for day, candles in candles_by_day:
        if taken and taken + candles > most:
            yield datetime.combine(day, time(), UTC)
            taken = 0
        taken += candles


def _cut(arrivals: list[Arrival], midnights: Iterator[datetime]) -> Iterator[Slice]:
    rest, number = arrivals, 0
    for number, midnight in enumerate(midnights, start=1):
        yield Slice(number - 1, [a for a in rest if a.since < midnight], midnight)
        rest = [replace(arrival, since=max(arrival.since, midnight)) for arrival in rest]
    yield Slice(number, rest, None)
