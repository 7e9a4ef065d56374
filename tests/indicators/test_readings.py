"""All timeframes side by side, as SQL calls it, on both engines."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from pyspark.sql import SparkSession

from lakehouse.indicators import register
from lakehouse.timeframes import TIMEFRAMES

Reading = tuple[str, str, datetime, int | None, float | None, int | None]
Row = dict[str, Any]

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
SCHEMA = """
    asset_pair string, timeframe string, closed_at timestamp,
    trend tinyint, rsi double, regime tinyint
"""
QUERY = """
    with gathered as (
        select
            asset_pair,
            collect_list(struct(timeframe, closed_at, trend, rsi, regime)) as readings
        from given_readings
        group by asset_pair
    )
    select asset_pair, inline(last_readings(readings)) from gathered
"""


def btc(timeframe: str, closed_at: datetime, rsi: float | None = 50.0) -> Reading:
    return ("BTCUSD", timeframe, closed_at, 0, rsi, 2)


def answer(session: SparkSession, given: list[Reading]) -> list[Row]:
    """What the engine says, in the order of time. The readings are given to it shuffled."""
    register(session)
    shuffled = random.Random(3).sample(given, len(given))  # noqa: S311 - not secret
    session.createDataFrame(shuffled, SCHEMA).createOrReplaceTempView("given_readings")
    found = session.sql(QUERY).toArrow().to_pylist()
    return sorted(found, key=lambda row: (row["asset_pair"], row["timestamp"]))


def by_the_rule(given: list[Reading]) -> list[Row]:
    """The same by looking through all readings at every moment."""
    rows = []
    for asset, moment in sorted({(reading[0], reading[2]) for reading in given}):
        row: Row = {"asset_pair": asset, "timestamp": moment}
        for timeframe, length in TIMEFRAMES.items():
            known = [r for r in given if r[:2] == (asset, timeframe) and r[2] <= moment]
            last = max(known, key=lambda r: r[2], default=None)
            is_heeded = last is not None and moment <= last[2] + 2 * length
            values = last[3:] if last and is_heeded else (None, None, None)
            names = (f"{name}_{timeframe}" for name in ("trend", "rsi", "regime"))
            row |= zip(names, values, strict=True)
        rows.append(row)
    return rows


def test_every_moment_shows_the_last_readings_of_all_timeframes(session: SparkSession) -> None:
    chance = random.Random(1)  # noqa: S311 - not secret
    given = [
        (asset, timeframe, NOON + i * length, chance.randrange(3), chance.random(), i % 3 or None)
        for asset in ("BTCUSD", "ETHUSD")
        for timeframe, length in TIMEFRAMES.items()
        for i in range(1, 4 * 24 * HOUR // length if length >= HOUR else 90)
        if chance.random() < 0.4
    ]
    assert answer(session, given) == by_the_rule(given)


def test_a_reading_is_heeded_for_exactly_two_steps(session: SparkSession) -> None:
    minutes = [btc("1m", NOON + 2 * HOUR + late) for late in (-MINUTE, 0 * MINUTE, MINUTE)]
    found = answer(session, [btc("1h", NOON, 61.5), *minutes])
    assert [row["rsi_1h"] for row in found] == [61.5, 61.5, 61.5, None]
    assert [row["trend_1h"] for row in found] == [0, 0, 0, None]
    assert [row["regime_1h"] for row in found] == [2, 2, 2, None]


def test_an_asset_of_one_timeframe_has_nothing_of_the_others(session: SparkSession) -> None:
    (found,) = answer(session, [btc("4h", NOON)])
    known = {"trend_4h": 0, "rsi_4h": 50.0, "regime_4h": 2}
    others = {name: None for name in found if not name.endswith("_4h")}
    assert found == {**others, **known, "asset_pair": "BTCUSD", "timestamp": NOON}


def test_a_reading_without_values_is_the_last_all_the_same(session: SparkSession) -> None:
    given = [btc("5m", NOON, 40.0), btc("5m", NOON + 5 * MINUTE, None)]
    found = answer(session, [*given, btc("1m", NOON + 6 * MINUTE)])
    assert [row["rsi_5m"] for row in found] == [40.0, None, None]


def test_no_readings_have_no_rows(session: SparkSession) -> None:
    assert answer(session, []) == []
