"""Stages written and gated in steps end where one build ends, however the steps fall."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from lakehouse.builds import Build, gate_stage, write_stage
from lakehouse.builds.states import table_states
from lakehouse.errors import BatchQuarantined
from lakehouse.outcomes import Recorder
from lakehouse.tables import stages
from tests.builds.lakes import BUILT, ENRICHED, TECHNICAL, Lake, NewLake, assert_same_tables
from tests.builds.market import END, closed_by

FIRST = stages()[0]
ASSETS = ("BTCUSD", "ETHUSD")


def write(lake: Lake, stage: int = 0) -> Build:
    return write_stage(lake.session, lake.settings, recorder(lake), stages()[stage])


def gate(lake: Lake, stage: int = 0) -> Build:
    return gate_stage(lake.session, lake.settings, recorder(lake), stages()[stage])


def recorder(lake: Lake) -> Recorder:
    return Recorder(lake.settings, "run-1")


@pytest.fixture(scope="module")
def day_before(
    new_lake: NewLake, candles: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory
) -> Lake:
    """Built but for its last day, in steps. To be copied, not changed."""
    lake = new_lake(tmp_path_factory.mktemp("day-before") / "lake")
    lake.land(closed_by(candles, END - timedelta(days=1)))
    go_through(lake)
    return lake


@pytest.fixture
def grown(new_lake: NewLake, day_before: Lake, tmp_path: Path) -> Lake:
    """A copy of `day_before`, to be changed."""
    return new_lake(day_before.copied_to(tmp_path / "grown"))


def go_through(lake: Lake) -> None:
    """Every step in its order."""
    for stage in range(len(stages())):
        assert write(lake, stage).arrivals
        assert set(gate(lake, stage).rows) == {table.full_name for table in stages()[stage]}


def test_steps_in_their_order_end_where_one_build_ends(
    grown: Lake, candles: pl.DataFrame, whole: Lake
) -> None:
    grown.land(candles)
    go_through(grown)
    assert_same_tables(grown, whole)
    assert grown.build().rows == {}


def test_what_a_stage_reads_is_gated_before_it(grown: Lake, candles: pl.DataFrame) -> None:
    grown.land(candles)
    write(grown)
    assert write(grown, 1).rows[ENRICHED] > 0
    assert gate(grown).rows == {}


def test_runs_side_by_side_may_write_twice_before_either_gates(
    grown: Lake, candles: pl.DataFrame, whole: Lake
) -> None:
    grown.land(closed_by(candles, END - timedelta(hours=9)))
    write(grown)
    grown.land(candles)
    write(grown)
    assert gate(grown).rows[ENRICHED] > 0
    assert gate(grown).rows == {}
    grown.build()
    assert_same_tables(grown, whole)


def test_a_gate_without_its_write_writes(grown: Lake, candles: pl.DataFrame, whole: Lake) -> None:
    grown.land(candles)
    for stage in range(len(stages())):
        gate(grown, stage)
    assert_same_tables(grown, whole)


def test_a_build_gates_what_waits(grown: Lake, candles: pl.DataFrame, whole: Lake) -> None:
    grown.land(candles)
    write(grown)
    grown.build()
    assert gate(grown).rows == {}
    assert_same_tables(grown, whole)


def test_a_refused_stage_is_put_back_to_before_its_first_write(
    copy: Lake, candles: pl.DataFrame
) -> None:
    before = {name: copy.rows(name) for name in BUILT}
    hours = candles.filter(asset_pair="BTCUSD", timeframe="1h").tail(24)
    next_day = hours.with_columns(pl.col("timestamp").dt.offset_by("1d"))
    broken = next_day.with_columns(high=pl.col("low") * 0.9)
    for part in (broken.head(12), broken.tail(12)):
        copy.land(part)
        write(copy)
    # Once as it waits, once written again by the gate itself.
    for _ in range(2):
        with pytest.raises(BatchQuarantined, match=r"24 of 24 rows.*high < low"):
            gate(copy)
        assert copy.rows(ENRICHED).equals(before[ENRICHED])
    assert write(copy, 1).arrivals == []


def test_nobody_reads_what_a_gate_might_still_refuse(copy: Lake, candles: pl.DataFrame) -> None:
    days = {asset: candles.filter(asset_pair=asset, timeframe="1h").tail(24) for asset in ASSETS}
    good, bad = (
        rows.with_columns(pl.col("timestamp").dt.offset_by("1d")) for rows in days.values()
    )
    copy.land(good)
    write(copy)
    gate(copy)
    # Another run has written its own rows by the time that this one goes on to gold.
    copy.land(bad.with_columns(high=pl.col("low") * 0.9))
    write(copy)
    write(copy, 2)
    gate(copy, 2)
    for table in (ENRICHED, TECHNICAL):
        new = copy.rows(table).filter(pl.col("timestamp") >= END)
        assert new["asset_pair"].to_list() == [good["asset_pair"][0]] * 24
    with pytest.raises(BatchQuarantined, match=r"24 of 24 rows.*high < low"):
        gate(copy)


def test_what_a_killed_write_left_is_written_anew_before_it_is_read(
    grown: Lake, candles: pl.DataFrame, whole: Lake
) -> None:
    grown.land(candles)
    write(grown)
    # Killed before it could note that it had written.
    log = grown.settings.lake / "ops" / "table_builds" / "_delta_log"
    max(log.glob("*.json")).unlink()
    assert table_states(grown.settings)[ENRICHED].is_open
    assert write(grown, 1).rows[ENRICHED] > 0
    for stage in range(1, len(stages())):
        gate(grown, stage)
    assert_same_tables(grown, whole)


def test_a_stage_that_reads_bronze_is_written_slice_by_slice(
    grown: Lake, candles: pl.DataFrame, whole: Lake
) -> None:
    grown.land(candles)
    options = grown.settings.build.model_copy(update={"slice_candles": 10})
    sliced = Lake(grown.session, grown.settings.model_copy(update={"build": options}))
    before = DeltaTable(str(FIRST[0].path(grown.settings.lake))).version()
    write(sliced)
    assert DeltaTable(str(FIRST[0].path(grown.settings.lake))).version() > before
    for stage in range(len(stages())):
        gate(sliced, stage)
    assert_same_tables(sliced, whole)
