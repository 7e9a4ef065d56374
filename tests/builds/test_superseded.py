"""Silver keeps what was known when: values that were replaced, and the times of those that stay."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake
from pyspark.sql import SparkSession

from lakehouse import ops
from lakehouse.builds import Build
from lakehouse.builds.arrivals import Arrival, bronze_versions, find_arrivals
from lakehouse.builds.builder import Builder
from lakehouse.gate import gate as gates
from lakehouse.gate.suites import EXPECTATIONS, Suite, suite_of
from lakehouse.outcomes import Recorder
from lakehouse.settings import BuildOptions, Settings
from lakehouse.tables import stages, table_named
from tests.builds.lakes import (
    ANALYSIS,
    BUILT,
    ENRICHED,
    SUPERSEDED,
    Lake,
    NewLake,
    assert_same_tables,
)
from tests.builds.market import END, START

CORRECTED_AT = END - timedelta(days=1, hours=4)
PREFERRED_AT = END - timedelta(hours=5)
WITHDRAWN_AT = END - timedelta(hours=7)
LATE_AT = START + timedelta(hours=30)
KEYS = ["asset_pair", "timeframe", "timestamp"]
TIMES = ["created_at", "updated_at"]
SUITE = """
expectations:
  - expect: expect_column_pair_values_a_to_be_greater_than_b
    kwargs: {column_A: high, column_B: low, or_equal: true, ignore_row_if: either_value_is_missing}
    severity: fail
    reason: high < low
"""


@dataclass(frozen=True)
class Step:
    """A build, and market_data_enriched before and after it."""

    before: pl.DataFrame
    build: Build
    after: pl.DataFrame

    def replaced(self) -> pl.DataFrame:
        """What market_data_superseded must say of it."""
        now = self.after.select(*KEYS, pl.col("updated_at").alias("known_until"))
        rows = self.before.join(now, on=KEYS, how="left").with_columns(
            known_from=pl.col("updated_at"),
            known_until=pl.col("known_until").fill_null(self.build.built_at),
            is_first=pl.col("created_at") == pl.col("updated_at"),
        )
        return rows.filter(pl.col("known_until") != pl.col("known_from")).drop(TIMES)


def step(lake: Lake) -> Step:
    before = lake.rows(ENRICHED)
    return Step(before, lake.build(), lake.rows(ENRICHED))


def candle(candles: pl.DataFrame, asset: str, timeframe: str, at: datetime) -> pl.DataFrame:
    found = candles.filter(asset_pair=asset, timeframe=timeframe, timestamp=at)
    assert len(found) == 1
    return found


def times(candles: pl.DataFrame, factor: float) -> pl.DataFrame:
    return candles.with_columns(pl.col("open", "high", "low", "close") * factor)


def sol(candles: pl.DataFrame) -> pl.DataFrame:
    hours = candles.filter(asset_pair="BTCUSD", timeframe="1h").head(60)
    return hours.with_columns(asset_pair=pl.lit("SOLUSD"))


def land_first(lake: Lake, candles: pl.DataFrame) -> None:
    """A correction, a preferred provider, and an asset of which one candle is late."""
    lake.land(times(candle(candles, "BTCUSD", "4h", CORRECTED_AT), 1.01))
    lake.land(times(candle(candles, "ETHUSD", "1h", PREFERRED_AT), 1.01), provider="coinbase")
    lake.land(sol(candles).filter(pl.col("timestamp") != LATE_AT))


def land_second(lake: Lake, candles: pl.DataFrame) -> None:
    """The same candle corrected again, the late one, and one that a gate refuses."""
    lake.land(times(candle(candles, "BTCUSD", "4h", CORRECTED_AT), 1.02))
    lake.land(sol(candles).filter(timestamp=LATE_AT))
    broken = candle(candles, "BTCUSD", "1h", WITHDRAWN_AT).with_columns(low=pl.col("high") * 1.5)
    lake.land(broken)


@pytest.fixture(scope="module")
def corrected(
    new_lake: NewLake,
    whole: Lake,
    candles: pl.DataFrame,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Lake, Step]:
    """`whole` after the first landing. To be copied, not changed."""
    lake = new_lake(whole.copied_to(tmp_path_factory.mktemp("corrected") / "lake"))
    land_first(lake, candles)
    return lake, step(lake)


@pytest.fixture(scope="module")
def twice(
    new_lake: NewLake,
    corrected: tuple[Lake, Step],
    candles: pl.DataFrame,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Lake, Step]:
    """After the second landing, too; its build was killed once. To be copied, not changed."""
    folder = tmp_path_factory.mktemp("twice")
    lake = new_lake(corrected[0].copied_to(folder / "lake"))
    land_second(lake, candles)
    before = lake.rows(ENRICHED)
    with short_suite(folder):
        with killed("_gate", lambda stage, *_: stage[-1].layer == "gold"):
            lake.build()
        return lake, Step(before, lake.build(), lake.rows(ENRICHED))


@contextmanager
def short_suite(folder: Path) -> Iterator[None]:
    """Sail takes a minute to find what the whole suite of the candles refuses."""
    path = folder / "silver" / "market_data_enriched.yml"
    path.parent.mkdir()
    path.write_text(SUITE)

    def found(table: str) -> Suite:
        return suite_of(table, folder if table == ENRICHED else EXPECTATIONS)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(gates, "suite_of", found)
        yield


@contextmanager
def killed(method: str, when: Callable[..., bool]) -> Iterator[None]:
    """The build in the block is killed when the builder comes there."""
    done = getattr(Builder, method)

    def killed_there(self: Builder, *how: Any) -> None:
        if when(*how):
            # Nobody puts back or notes anything.
            for name in ("put_back", "note"):
                patched.setattr(sys.modules["lakehouse.builds.build"], name, lambda *_: None)
            raise KeyboardInterrupt
        done(self, *how)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Builder, method, killed_there)
        with pytest.raises(KeyboardInterrupt):
            yield


def said(lake: Lake) -> pl.DataFrame:
    return lake.values(SUPERSEDED)


def expected(*steps: Step) -> pl.DataFrame:
    rows = pl.concat([one.replaced() for one in steps])
    return rows.select(said_columns()).sort(*KEYS, "known_from")


def said_columns() -> list[str]:
    return [c.name for c in table_named(SUPERSEDED).columns if c.name not in TIMES]


def test_nothing_is_superseded_by_a_first_build(whole: Lake) -> None:
    assert whole.rows(SUPERSEDED).is_empty()


def test_a_corrected_candle_leaves_what_it_and_those_after_it_said(
    corrected: tuple[Lake, Step],
) -> None:
    lake, first = corrected
    found = said(lake)
    assert found.equals(expected(first))
    btc = found.filter(asset_pair="BTCUSD")
    assert set(btc["timeframe"]) == {"4h"}
    assert btc["timestamp"].min() == CORRECTED_AT
    assert len(btc) > 1
    assert btc["known_until"].unique().to_list() == [first.build.built_at]
    assert btc["is_first"].all()


def test_a_preferred_provider_supersedes_what_the_other_said(
    corrected: tuple[Lake, Step],
) -> None:
    eth = said(corrected[0]).filter(asset_pair="ETHUSD")
    assert eth["timestamp"].min() == PREFERRED_AT
    assert set(eth["provider"]) == {"simulated"}


def test_a_second_correction_goes_on_where_the_first_ended(twice: tuple[Lake, Step]) -> None:
    own = said(twice[0]).filter(asset_pair="BTCUSD", timeframe="4h", timestamp=CORRECTED_AT)
    (first, second) = own.to_dicts()
    assert first["known_until"] == second["known_from"] < second["known_until"]
    now = twice[0].rows(ENRICHED).filter(timeframe="4h", timestamp=CORRECTED_AT)
    assert second["known_until"] == now.filter(asset_pair="BTCUSD")["updated_at"].item()
    assert (first["is_first"], second["is_first"]) == (True, False)
    assert second["close"] == pytest.approx(1.01 * first["close"])


def test_every_value_that_ever_was_is_there_once_though_a_build_was_killed(
    corrected: tuple[Lake, Step], twice: tuple[Lake, Step]
) -> None:
    assert said(twice[0]).equals(expected(corrected[1], twice[1]))


def test_a_late_candle_supersedes_those_after_it(twice: tuple[Lake, Step]) -> None:
    own = said(twice[0]).filter(asset_pair="SOLUSD")
    assert own["timestamp"].min() == LATE_AT + timedelta(hours=1)


def test_a_candle_that_a_gate_withdrew_was_known_until_then(twice: tuple[Lake, Step]) -> None:
    lake, second = twice
    own = said(lake).filter(asset_pair="BTCUSD", timeframe="1h", timestamp=WITHDRAWN_AT)
    assert own["known_until"].to_list() == [second.build.built_at]
    gone = lake.rows(ENRICHED).filter(asset_pair="BTCUSD", timeframe="1h", timestamp=WITHDRAWN_AT)
    assert gone.is_empty()


def test_a_full_refresh_forgets_nothing_even_if_it_is_killed(
    new_lake: NewLake, twice: tuple[Lake, Step], tmp_path: Path
) -> None:
    lake = in_slices(new_lake(twice[0].copied_to(tmp_path / "refreshed")))
    # As if a formula had been another when they were built; in the first slice and in the last.
    odd = {("BTCUSD", "1h", START + timedelta(days=2)), ("ETHUSD", "1h", END - timedelta(hours=2))}
    for asset, timeframe, at in odd:
        spoil(lake, asset, timeframe, at)
    before = {name: lake.rows(name) for name in (*BUILT, SUPERSEDED)}
    with short_suite(tmp_path):
        with killed("_take_in", lambda part, *_: not part.is_first):
            lake.build(full_refresh=True)
        lake.build()

    for name in BUILT:
        now = lake.rows(name)
        # The rows that the withdrawn candle left behind in other tables go.
        stayed = before[name].join(now, on=table_named(name).keys, how="semi")
        assert len(before[name]) - len(stayed) <= 1
        assert now["created_at"].equals(stayed["created_at"])
    new = lake.rows(ENRICHED).filter(pl.col("updated_at") > before[ENRICHED]["updated_at"].max())
    assert set(new.select(KEYS).rows()) == odd
    others = new.select(KEYS)
    assert (
        lake.rows(ENRICHED)
        .join(others, on=KEYS, how="anti")
        .equals(before[ENRICHED].join(others, on=KEYS, how="anti"))
    )
    said_now, ids = lake.rows(SUPERSEDED), [*KEYS, "known_from"]
    added = said_now.join(before[SUPERSEDED], on=ids, how="anti")
    assert set(added.select(KEYS).rows()) == odd
    assert (added["volume_change"] == 7.0).all()
    assert said_now.join(added, on=ids, how="anti").equals(before[SUPERSEDED])


def test_a_lake_from_before_gets_the_table_and_keeps_its_times(
    new_lake: NewLake,
    whole: Lake,
    corrected: tuple[Lake, Step],
    candles: pl.DataFrame,
    tmp_path: Path,
) -> None:
    path = whole.copied_to(tmp_path / "before")
    shutil.rmtree(table_named(SUPERSEDED).path(path))
    lake = new_lake(path)
    land_first(lake, candles)
    lake.build()
    assert_same_tables(lake, corrected[0])
    assert same_but_for_times(said(lake), said(corrected[0]))
    for name in (ENRICHED, ANALYSIS):
        old = lake.rows(name).join(whole.rows(name), on=table_named(name).keys, how="semi")
        assert old["created_at"].equals(whole.rows(name)["created_at"])


def test_a_refresh_gives_what_was_superseded_the_columns_that_a_model_has_got(
    new_lake: NewLake, corrected: tuple[Lake, Step], tmp_path: Path
) -> None:
    lake = new_lake(corrected[0].copied_to(tmp_path / "evolved"))
    before = lake.rows(SUPERSEDED)
    for name in (ENRICHED, SUPERSEDED):
        path = str(table_named(name).path(lake.settings.lake))
        older = DeltaTable(path).to_pyarrow_table().drop_columns(["log_return"])
        write_deltalake(path, older, mode="overwrite", schema_mode="overwrite")
    lake.build(full_refresh=True)
    found = lake.rows(SUPERSEDED)
    assert found["log_return"].null_count() == len(found)
    assert found.drop("log_return").equals(before.drop("log_return"))
    assert_same_tables(lake, corrected[0])


def same_but_for_times(found: pl.DataFrame, wanted: pl.DataFrame) -> bool:
    known = ("known_from", "known_until")
    return found.drop(known).equals(wanted.drop(known))


def in_slices(lake: Lake) -> Lake:
    options = BuildOptions(slice_candles=2_500)
    return Lake(lake.session, lake.settings.model_copy(update={"build": options}))


def spoil(lake: Lake, asset: str, timeframe: str, at: datetime) -> None:
    lake.session.sql(
        f"UPDATE {ENRICHED} SET volume_change = 7.0 WHERE asset_pair = '{asset}' "
        f"AND timeframe = '{timeframe}' AND timestamp = timestamp'{at:%Y-%m-%d %H:%M:%S}'"
    )


def test_spark_remembers_as_sail_does(
    spark: SparkSession, lake: Settings, candles: pl.DataFrame
) -> None:
    # What dbt does, without the gates and gold: a build on Spark takes its time.
    on_spark, builder = Lake(spark, lake), Builder(spark, lake, Recorder(lake, "run-1"), Build())
    hours = candles.filter(asset_pair="BTCUSD", timeframe="1h").head(40)
    on_spark.land(hours)
    builder.write(stages()[0], news(lake), is_first=True)
    before = on_spark.rows(ENRICHED)
    ops.append(lake, "ops.releases", [{"release": "1", "table": ENRICHED, "version": 0}])

    on_spark.land(times(hours.tail(2).head(1), 1.01))
    builder.refreshed = {ENRICHED: 0}
    for stage in (stages()[0], [table_named(SUPERSEDED)]):
        builder.write(stage, news(lake), is_first=True)
    again = Step(before, builder.new, on_spark.rows(ENRICHED))
    assert said(on_spark).equals(expected(again))
    assert len(said(on_spark)) == 2
    assert again.after.head(38).equals(before.head(38))


def news(settings: Settings) -> list[Arrival]:
    return find_arrivals(settings, {}, bronze_versions(settings))
