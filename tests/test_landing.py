"""Landing: what is new is added once, and one bad batch does not keep others out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from lakehouse import appending
from lakehouse.engine import register_tables
from lakehouse.gate import Gate
from lakehouse.landing import Lander, Landing
from lakehouse.landing_rows import LANDING_DDL, LANDING_SCHEMA
from lakehouse.outcomes import Recorder
from lakehouse.settings import Settings
from lakehouse.tables import bronze_table
from tests.conftest import settings_for

FIRST = datetime(2026, 3, 2, tzinfo=UTC)
Land = Callable[..., Landing]


@pytest.fixture
def lake_on_sail(sail: SparkSession, tmp_path: Path) -> Settings:
    settings = settings_for(tmp_path / "lake", engine="sail")
    register_tables(sail, settings)
    return settings


@pytest.fixture
def land(sail: SparkSession, lake_on_sail: Settings, tmp_path: Path) -> Land:
    """Lands candles as a backfill does, from a landing file."""

    def landed(*candles: dict[str, Any]) -> Landing:
        file = tmp_path / "candles.parquet"
        pq.write_table(pa.Table.from_pylist(list(candles), schema=LANDING_SCHEMA), file)
        frame = sail.read.schema(LANDING_DDL).parquet(str(file))
        lander = Lander(sail, lake_on_sail, Recorder(lake_on_sail, "run"))
        return lander.land(frame, Gate("bronze.raw_market_data", lake_on_sail))

    return landed


def candle(hour: int, **changes: Any) -> dict[str, Any]:
    return {
        "asset_pair": "BTCUSD",
        "timestamp": FIRST + timedelta(hours=hour),
        "open": 100.0,
        "high": 101.0,
        "low": 99.0,
        "close": 100.5,
        "volume": 1.0,
        "provider": "simulated",
        "timeframe": "1h",
        "batch_id": "first",
        "source": "http://exchange",
        "raw": None,
        **changes,
    }


def bronze(settings: Settings, timeframe: str = "1h") -> list[dict[str, Any]]:
    table = DeltaTable(str(bronze_table(timeframe).path(settings.lake)))
    rows: list[dict[str, Any]] = table.to_pyarrow_table().to_pylist()
    return sorted(rows, key=lambda row: (row["timestamp"], row["close"]))


def test_landing_the_same_candles_again_adds_nothing(land: Land, lake_on_sail: Settings) -> None:
    candles = [candle(hour) for hour in range(24)]
    assert land(*candles).rows_new == 24
    before = bronze(lake_on_sail)
    again = land(*(row | {"batch_id": "again"} for row in candles), candle(24))
    assert again.rows_new == 1
    assert bronze(lake_on_sail)[:24] == before


@pytest.mark.parametrize("others", [[], [candle(0)]], ids=["appended", "merged"])
def test_a_lone_candle_of_many_digits_is_landed_once(
    land: Land, lake_on_sail: Settings, others: list[dict[str, Any]]
) -> None:
    land(*others)
    # A day later, and with digits that Sail would read wrongly from the log.
    lone = candle(24, high=101.33915055656533, low=99.07640595336527)
    assert [land(*others, lone).rows_new for _ in range(3)] == [1, 0, 0]
    assert bronze(lake_on_sail)[-1]["high"] == lone["high"]


def test_who_lands_the_same_at_once_is_told_and_adds_nothing(
    land: Land, lake_on_sail: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    candles = [candle(hour) for hour in range(3)]
    append, seen = appending.append_rows, []

    def overtaken(*where: Any) -> int:
        if not seen:
            seen.append(where)
            assert land(*candles).rows_new == 3
        return append(*where)

    monkeypatch.setattr(appending, "append_rows", overtaken)
    assert land(*candles).rows_new == 0
    assert len(bronze(lake_on_sail)) == 3


def test_an_answer_without_a_candle_is_a_landing_of_nothing(land: Land) -> None:
    landed = land()
    assert (landed.rows_new, landed.verdicts, landed.dead_letters) == (0, [], [])


def test_a_corrected_candle_joins_what_the_source_said_before(
    land: Land, lake_on_sail: Settings
) -> None:
    land(candle(0), candle(1))
    assert land(candle(1, close=100.7, batch_id="correction")).rows_new == 1
    assert [row["close"] for row in bronze(lake_on_sail)] == [100.5, 100.5, 100.7]


def test_timeframes_land_together_each_in_its_table(land: Land, lake_on_sail: Settings) -> None:
    days = [candle(24 * day, timeframe="1d", batch_id="days") for day in range(3)]
    landing = land(*(candle(hour) for hour in range(5)), *days)
    assert landing.rows_landed == {
        "bronze.raw_market_data_1h": 5,
        "bronze.raw_market_data_1d": 3,
    }
    assert [extent.last for extent in landing.extents if extent.timeframe == "1d"] == [
        FIRST + timedelta(days=2)
    ]
    assert {row["partition_asset_pair"] for row in bronze(lake_on_sail, "1d")} == {"BTCUSD"}


def test_a_quarantined_batch_keeps_no_other_out_and_leaves_no_staging(
    land: Land, lake_on_sail: Settings
) -> None:
    good = [candle(hour, asset_pair="ETHUSD", batch_id="good") for hour in range(4)]
    bad = [candle(hour, volume=-1.0 if hour < 3 else 1.0, batch_id="bad") for hour in range(4)]
    landing = land(*good, *bad)
    assert [verdict.batch_id for verdict in landing.quarantined] == ["bad"]
    assert {row["asset_pair"] for row in bronze(lake_on_sail)} == {"ETHUSD"}
    assert len(landing.dead_letters) == 2  # the negative volumes, and the good row beside them
    assert list((lake_on_sail.lake / "staging").iterdir()) == []
