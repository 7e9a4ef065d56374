"""Verdicts on batches: tolerance, repeats, conflicts, and batches of any size."""

from __future__ import annotations

import math
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakehouse.gate import Gate, Judgement, quality_rows
from lakehouse.settings import load_settings
from lakehouse.tables import table_named
from tests.gate.candles import NOW, candle, frame_of

SUITE = "bronze.raw_market_data"
BAD = {"volume": -1.0}


def judged(session: SparkSession, rows: list[dict[str, Any]], **options: Any) -> Judgement:
    gate = Gate(SUITE, load_settings(), NOW)
    return gate.judge(gate.annotate(frame_of(session, rows)), **options)


def test_a_batch_without_rows_has_no_verdict(session: SparkSession) -> None:
    nothing = judged(session, [])
    assert nothing.verdicts == []
    assert nothing.rows.count() == 0


def test_every_row_of_a_batch_may_be_bad(session: SparkSession) -> None:
    everything = judged(session, [candle(minute, **BAD) for minute in range(500)])
    (verdict,) = everything.verdicts
    assert (verdict.rows, verdict.rejected, verdict.share) == (500, 500, 1.0)
    assert everything.quarantined == {"batch-1"}


@pytest.mark.parametrize(("bad", "is_quarantined"), [(2, False), (3, True)])
def test_a_batch_is_quarantined_beyond_its_tolerance_and_not_at_it(
    session: SparkSession, bad: int, is_quarantined: bool
) -> None:
    rows = [candle(minute, **(BAD if minute < bad else {})) for minute in range(20)]
    (verdict,) = judged(session, rows).verdicts
    assert verdict.share == bad / 20
    assert verdict.is_quarantined is is_quarantined


@pytest.mark.parametrize(("bad", "is_quarantined"), [(1, False), (2, False), (3, True)])
def test_a_handful_of_rows_is_quarantined_only_when_enough_of_them_fail(
    session: SparkSession, bad: int, is_quarantined: bool
) -> None:
    rows = [candle(minute, **(BAD if minute < bad else {})) for minute in range(4)]
    (verdict,) = judged(session, rows).verdicts
    assert (verdict.rejected, verdict.is_quarantined) == (bad, is_quarantined)


def test_batches_are_judged_one_by_one_each_for_its_own_table(session: SparkSession) -> None:
    good = [candle(60 * n, batch_id="hours", timeframe="1h", asset_pair="ETHUSD") for n in range(3)]
    bad = [candle(n, batch_id="minutes", **BAD) for n in range(3)]
    both = judged(session, [*good, *bad])
    assert [(v.batch_id, v.table, v.asset_pair, v.rejected) for v in both.verdicts] == [
        ("hours", "bronze.raw_market_data_1h", "ETHUSD", 0),
        ("minutes", "bronze.raw_market_data_1m", "BTCUSD", 3),
    ]
    assert both.quarantined == {"minutes"}


def test_a_row_that_came_twice_is_one_row(session: SparkSession) -> None:
    once_more = candle(1, source="http://127.0.0.1/again", raw="the same in other words")
    twice = judged(session, [candle(0), candle(1), once_more])
    (verdict,) = twice.verdicts
    assert (verdict.rows, verdict.repeats, verdict.rejected) == (2, 1, 0)
    assert twice.rows.count() == 2


def test_two_candles_for_one_time_are_both_rejected(session: SparkSession) -> None:
    conflict = judged(session, [candle(0), candle(1), candle(1, close=106.0), candle(1)])
    (verdict,) = conflict.verdicts
    assert (verdict.rows, verdict.repeats, verdict.rejected) == (3, 1, 2)
    assert verdict.reasons == {"two candles for one time": 2}
    rejected = conflict.rows.where(F.size("reasons") > 0)
    assert {row.close for row in rejected.collect()} == {105.0, 106.0}


def test_a_conflict_adds_to_the_reasons_a_row_has_already(session: SparkSession) -> None:
    conflict = judged(session, [candle(1), candle(1, **BAD)])
    assert sorted(row.reasons for row in conflict.rows.collect()) == [
        ["two candles for one time"],
        ["volume < 0", "two candles for one time"],
    ]


def test_the_same_time_is_no_conflict_between_batches_assets_or_providers(
    session: SparkSession,
) -> None:
    others = [{"batch_id": "batch-2"}, {"asset_pair": "ETHUSD"}, {"provider": "kraken"}]
    rows = [candle(0), *(candle(0, close=101.0, **other) for other in others)]
    assert sum(verdict.rejected for verdict in judged(session, rows).verdicts) == 0


def test_rows_without_a_time_do_not_conflict_and_stay_apart_by_what_they_said(
    session: SparkSession,
) -> None:
    texts = ("first", "second", "second")
    unknown = judged(session, [candle(timestamp=None, raw=text) for text in texts])
    (verdict,) = unknown.verdicts
    assert (verdict.rows, verdict.repeats) == (2, 1)
    assert set(verdict.reasons) == {"timestamp is missing or not a time"}


def test_settled_repeats_are_kept_where_the_caller_says(
    session: SparkSession, tmp_path: Path
) -> None:
    scratch = tmp_path / "settled"
    twice = judged(session, [candle(0), candle(0), candle(1)], scratch=scratch)
    assert list(scratch.glob("rows/*.parquet"))
    assert twice.rows.count() == 2


def test_judging_staged_rows_gives_what_judging_them_directly_gives(
    session: SparkSession, tmp_path: Path
) -> None:
    gate = Gate(SUITE, load_settings(), NOW)
    rows = [candle(n, **(BAD if n % 3 else {})) for n in range(30)]
    annotated = gate.annotate(frame_of(session, [*rows, candle(0, close=101.0)]))
    annotated.write.parquet(str(tmp_path / "staged"))
    staged = gate.judge(session.read.parquet(str(tmp_path / "staged")))
    direct = gate.judge(annotated)
    assert [v.reasons for v in staged.verdicts] == [v.reasons for v in direct.verdicts]


def test_rows_without_batches_are_one_batch_named_for_the_table(session: SparkSession) -> None:
    gate = Gate(SUITE, load_settings(), NOW)
    annotated = gate.annotate(frame_of(session, [candle(0), candle(1)]))
    (verdict,) = gate.judge(annotated, batch_column="no_such_column").verdicts
    assert (verdict.batch_id, verdict.rows) == (SUITE, 2)


def test_quality_rows_have_the_shape_of_their_table(session: SparkSession) -> None:
    rows = quality_rows(judged(session, [candle(0, **BAD), candle(1)]).verdicts, "run-1", NOW)
    assert set(rows[0]) == {column.name for column in table_named("ops.quality_results").columns}
    keys = {tuple(row[key] for key in table_named("ops.quality_results").keys) for row in rows}
    assert len(keys) == len(rows)
    (broken,) = [row for row in rows if not row["is_success"]]
    assert (broken["reason"], broken["rows_unexpected"], broken["rows_checked"]) == (
        "volume < 0",
        1,
        2,
    )


def test_the_time_of_the_check_decides_what_is_closed(session: SparkSession) -> None:
    rows = frame_of(session, [candle(0)])
    for moment, closed in ((timedelta(seconds=60), 1), (timedelta(seconds=59), 0)):
        gate = Gate(SUITE, load_settings(), candle(0)["timestamp"] + moment)
        (verdict,) = gate.judge(gate.annotate(rows)).verdicts
        assert verdict.rows - verdict.rejected == closed


@pytest.mark.parametrize("few", [0, 1_000])
def test_the_neighbours_of_a_conflict_are_left_alone(
    session: SparkSession, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr("lakehouse.gate.repeats.FEW", few)  # 0: as with very many conflicts
    rows = [candle(minute) for minute in range(200)]
    repeats = [candle(7), candle(63, close=101.0), candle(190, **BAD)]
    settled = judged(session, [*rows, *repeats])
    (verdict,) = settled.verdicts
    assert (verdict.rows, verdict.repeats, verdict.rejected) == (202, 1, 4)
    assert verdict.reasons == {"two candles for one time": 4, "volume < 0": 1}
    rejected = settled.rows.where(F.size("reasons") > 0).collect()
    assert sorted((row.timestamp.hour, row.timestamp.minute) for row in rejected) == [
        (1, 3),
        (1, 3),
        (3, 10),
        (3, 10),
    ]
    assert settled.rows.count() == 202


def test_two_rows_between_the_same_points_of_the_grid_do_not_conflict(
    session: SparkSession,
) -> None:
    seconds = [candle(0, timestamp=candle(0)["timestamp"] + timedelta(seconds=n)) for n in (1, 2)]
    (verdict,) = judged(session, seconds).verdicts
    assert set(verdict.reasons) == {"timestamp not on the timeframe's grid"}


def test_a_row_with_nan_that_came_twice_is_one_row(session: SparkSession) -> None:
    (verdict,) = judged(session, [candle(0, open=math.nan), candle(0, open=math.nan)]).verdicts
    assert (verdict.rows, verdict.repeats) == (1, 1)
    assert verdict.reasons == {"open is missing or not a number": 1}
