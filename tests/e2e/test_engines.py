"""Spark and Sail give the same tables and the same answers, alone and one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest
from pyspark.sql import SparkSession

from lakehouse.simulated import running_exchange
from lakehouse.tables import LAYERS
from tests.e2e.forks import Ran
from tests.e2e.lakes import BRONZE, BUILT, Lake, new_lake, same
from tests.e2e.outputs import Comparison

pytestmark = pytest.mark.e2e

BOTH = ("--assets", "BTCUSD,ETHUSD")
# Minutes and long candles; then fewer, for what is continued costs Spark as much as what is new.
DAYS = (
    ("--from", "2026-03-02", "--to", "2026-03-03", "--timeframes", "1m,1h,4h,1d"),
    ("--from", "2026-03-03", "--to", "2026-03-04", "--timeframes", "1h,4h,1d"),
    ("--from", "2026-03-04", "--to", "2026-03-05", "--timeframes", "1h"),
)
SPARK, SAIL = "spark", "sail"
Run = Callable[..., Ran]


@pytest.fixture(scope="module")
def run(spark: SparkSession, spark_remote: str) -> Run:
    """Run a command on a lake, on either engine, whichever its tables were written by."""

    def on(engine: str, lake: Lake, *arguments: str) -> Ran:
        if engine == SAIL:
            return lake.run(*arguments)
        forget_names(spark)
        return lake.run(*arguments, LAKEHOUSE__ENGINE=SPARK, SPARK_REMOTE=spark_remote)

    return on


def forget_names(spark: SparkSession) -> None:
    """Spark knows one lake at a time; that of before is left as it is."""
    for layer in LAYERS:
        spark.sql(f"CREATE SCHEMA IF NOT EXISTS {layer}")
        for row in spark.sql(f"SHOW TABLES IN {layer}").collect():
            spark.sql(f"DROP TABLE {layer}.{row.tableName}")


@pytest.fixture(scope="module")
def lake_of(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Lake]]:
    """Three days of candles, some of them broken, each day landed and built on the engine named."""
    known: dict[tuple[str, ...], Lake] = {}
    with ExitStack() as ending, running_exchange(corrupted_candles=0.1) as exchange:
        extra = {
            "LAKEHOUSE__TOLERANCE": "1",
            "LAKEHOUSE__PROVIDERS__SIMULATED__BASE_URL": exchange.base_url("binance"),
        }

        def built_on(*engines: str) -> Lake:
            if engines not in known:
                root = tmp_path_factory.mktemp("engines") / "lake"
                lake = ending.enter_context(new_lake(root, **extra))
                for engine, day in zip(engines, DAYS, strict=True):
                    ran = run(engine, lake, "backfill", *BOTH, *day)
                    assert ran.code == 0, (engine, day, ran.err)
                known[engines] = lake
            return known[engines]

        yield built_on


ALONE = (SAIL, SAIL, SAIL)
# Each begins what it goes on with itself, and what the other goes on with.
TURNS = ((SPARK, SPARK, SAIL), (SAIL, SPARK, SAIL))


def refused(lake: Lake) -> list[tuple[str, str]]:
    """When each dead letter's candle opened, and why it was refused."""
    return sorted((str(record["timestamp"]), str(record["reason"])) for record in lake.rejected())


def refused_candles(lake: Lake) -> set[tuple[str, str, str]]:
    """Each once, by its minute: one that came twice has two records, one off the grid is late by
    a second."""
    return {
        (record["asset_pair"], record["timeframe"], str(record["timestamp"])[:16])
        for record in lake.rejected()
    }


@pytest.mark.parametrize("engines", TURNS, ids=" then ".join)
def test_both_engines_build_equal_tables_and_continue_those_of_the_other(
    lake_of: Callable[..., Lake], engines: tuple[str, ...]
) -> None:
    mixed, alone = lake_of(*engines), lake_of(*ALONE)
    present = [name for name in BRONZE if alone.has(name)]
    assert [name for name in BRONZE if mixed.has(name)] == present
    assert same(mixed, alone, [*present, *BUILT]) == []
    assert mixed.versions().keys() == alone.versions().keys()
    assert refused(mixed) == refused(alone) != []
    assert mixed.bronze().height + len(refused_candles(mixed)) == 2 * (1440 + 3 * 24 + 2 * (6 + 1))


CANDLES, DAILY = "silver.market_data_enriched", "gold.mart_daily_metrics"
ONE_ROW = "asset_pair = 'ETHUSD' and date = date'2026-03-03'"
RANGE = "select asset_pair, timeframe, timestamp, close, round(rsi_14, 6) as rsi_14"
COMMANDS = (
    ("sql", f"{RANGE} from {CANDLES} where timestamp >= '2026-03-04' order by 1, 2, 3"),
    ("sql", f"select asset_pair, date, open, close, volume, coverage from {DAILY} order by 1, 2"),
    ("sql", f"select count(*) from {DAILY}", "--release", "latest"),
    ("sql", "select status, count(*) from ops.outcomes group by status", "--as-of", "2999-01-01"),
    ("read", DAILY, "--version", "0", "--where", "asset_pair = 'BTCUSD'", "--json"),
    ("read", DAILY, "--release", "latest", "--where", ONE_ROW, "--json"),
    ("diff", DAILY, "0", "1"),
    ("gaps", "--assets", "BTCUSD"),
    ("explain", CANDLES, "BTCUSD", "2026-03-03T05:00", "--timeframe", "1h"),
    ("sql", f"select nothing from {DAILY}"),
    ("read", DAILY, "--version", "99"),
    ("sql", "select 1 from gold.nothing", "--as-of", "2999-01-01"),
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_says_the_same_on_either_engine_whoever_wrote_the_tables(
    run: Run, lake_of: Callable[..., Lake], command: tuple[str, ...]
) -> None:
    alone, mixed = run(SAIL, lake_of(*ALONE), *command), run(SPARK, lake_of(*TURNS[0]), *command)
    assert mixed.code == alone.code, (mixed.err, alone.err)
    now = datetime.now(UTC)
    said, wanted = mixed.out.splitlines(), alone.out.splitlines()
    assert Comparison(now, now).difference(wanted, said) == []
