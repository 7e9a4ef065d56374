"""A gate that refuses what was built puts the tables back, and the news is taken up later."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from lakehouse.builds.states import table_states
from lakehouse.errors import BatchQuarantined
from lakehouse.gate import gate as gates
from lakehouse.gate.suites import EXPECTATIONS, suite_of
from tests.builds.lakes import BUILT, ENRICHED, Lake, assert_same
from tests.builds.market import END

REFUSING = """
expectations:
  - expect: expect_column_values_to_be_in_set
    kwargs: {column: asset_pair, value_set: [NOTHING]}
    severity: fail
    reason: nothing is good enough
"""


@pytest.fixture
def next_day(candles: pl.DataFrame) -> pl.DataFrame:
    """A day of BTCUSD after the last one."""
    hours = candles.filter(asset_pair="BTCUSD", timeframe="1h").tail(24)
    return hours.with_columns(pl.col("timestamp").dt.offset_by("1d"))


def test_silver_is_put_back_when_its_gate_refuses_it(copy: Lake, next_day: pl.DataFrame) -> None:
    before = {name: copy.rows(name) for name in BUILT}
    copy.land(next_day.with_columns(high=pl.col("low") * 0.9))
    with pytest.raises(BatchQuarantined, match=r"24 of 24 rows.*high < low"):
        copy.build()
    assert all(copy.rows(name).equals(before[name]) for name in BUILT)


@pytest.mark.parametrize(
    "refused", ["gold/mart_technical_indicators", "silver/multi_timeframe_analysis"]
)
def test_silver_and_gold_are_put_back_when_the_gate_of_any_table_refuses_it(
    refused: str,
    copy: Lake,
    next_day: pl.DataFrame,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = {name: copy.rows(name) for name in BUILT}
    states = table_states(copy.settings)
    copy.land(next_day)
    suite = tmp_path / f"{refused}.yml"
    suite.parent.mkdir()
    suite.write_text(REFUSING)
    with monkeypatch.context() as patched:
        patched.setattr(gates, "suite_of", lambda table: _suite_of(table, tmp_path))
        with pytest.raises(BatchQuarantined, match="nothing is good enough"):
            copy.build()
    assert all(copy.rows(name).equals(before[name]) for name in BUILT)
    assert table_states(copy.settings) == states

    copy.build()
    now = copy.values(ENRICHED)
    assert len(now.filter(pl.col("timestamp") >= END)) == 24
    old = now.filter(pl.col("timestamp") < END)
    assert_same(old, before[ENRICHED].drop("created_at", "updated_at"))


def _suite_of(table: str, folder: Path) -> object:
    is_changed = (folder / f"{table.replace('.', '/')}.yml").exists()
    return suite_of(table, folder if is_changed else EXPECTATIONS)
