"""The arithmetic as SQL calls it, on both engines."""

from __future__ import annotations

import polars as pl
import pytest
from pyspark.sql import SparkSession

from lakehouse.indicators import LOOKBACK, SETTLED, register, technical_indicators
from lakehouse.indicators.function import ENRICHED, KEPT

from .candles import quotes, settle

SETTLED_SQL = ", ".join(
    f"{name}: {'string' if name == 'market_regime' else 'double'}" for name in SETTLED
)
QUERY = f"""
    with series as (
        select asset_pair, collect_list(struct({", ".join(KEPT)}, settled)) as candles
        from given_candles
        group by asset_pair
    )
    select asset_pair, inline(technical_indicators(candles)) from series
"""


def named(frame: pl.DataFrame, asset_pair: str) -> pl.DataFrame:
    batch = {"provider": pl.lit("simulated"), "batch_id": pl.lit(f"batch of {asset_pair}")}
    return frame.with_columns(**batch).select(
        pl.lit(asset_pair).alias("asset_pair"), *KEPT, "settled"
    )


def answer(session: SparkSession, given: list[pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """What the engine says, by asset. The candles are given to it shuffled."""
    register(session)
    rows = pl.concat(given).sample(fraction=1.0, shuffle=True, seed=3).to_dicts()
    types = {"timestamp": "timestamp", "provider": "string", "batch_id": "string"}
    schema = ", ".join(f"{name} {types.get(name, 'double')}" for name in KEPT)
    schema = f"asset_pair string, {schema}, settled struct<{SETTLED_SQL}>"
    session.createDataFrame(rows, schema).createOrReplaceTempView("given_candles")
    found = pl.from_arrow(session.sql(QUERY).toArrow())
    assert isinstance(found, pl.DataFrame)
    return {
        asset: found.filter(asset_pair=asset).sort("timestamp").select(ENRICHED)
        for asset in found["asset_pair"].unique()
    }


def expected(given: pl.DataFrame) -> pl.DataFrame:
    indicators = technical_indicators(given)
    kept = given.tail(len(indicators)).select(KEPT)
    return pl.concat([kept, indicators], how="horizontal")


def assert_same(found: pl.DataFrame, wanted: pl.DataFrame) -> None:
    utc = pl.col("timestamp").dt.cast_time_unit("us").dt.replace_time_zone("UTC")
    assert found.with_columns(utc).equals(wanted.with_columns(utc))


def test_every_series_gets_its_own_indicators(session: SparkSession) -> None:
    given = [named(quotes(150 + seed, seed=seed), f"ASSET{seed}") for seed in range(3)]
    found = answer(session, given)
    assert sorted(found) == ["ASSET0", "ASSET1", "ASSET2"]
    for series in given:
        assert_same(found[series["asset_pair"][0]], expected(series))


def test_settled_candles_are_continued_and_not_repeated(session: SparkSession) -> None:
    whole = named(quotes(300), "BTCUSD")
    indicators = technical_indicators(whole)
    known = settle(whole.head(250), indicators.head(250)).tail(LOOKBACK)
    found = answer(session, [known, whole.tail(50)])["BTCUSD"]
    assert_same(found, expected(whole).tail(50))


@pytest.mark.parametrize("length", [1, 30])
def test_a_history_shorter_than_the_warm_up_is_computed_from_its_beginning(
    session: SparkSession, length: int
) -> None:
    whole = named(quotes(60), "ETHUSD")
    known = settle(whole.head(length), technical_indicators(whole.head(length)))
    found = answer(session, [known, whole.slice(length)])["ETHUSD"]
    assert_same(found, expected(whole).slice(length))
