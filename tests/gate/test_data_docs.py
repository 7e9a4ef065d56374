"""Data Docs of a run: pages that a browser can open."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pyspark.sql import SparkSession

from lakehouse.gate import BatchVerdict, Gate, write_data_docs
from lakehouse.settings import load_settings
from tests.gate.candles import NOW, candle, frame_of


def verdicts(session: SparkSession) -> list[BatchVerdict]:
    gate = Gate("bronze.raw_market_data", load_settings(), NOW, is_live=True)
    minutes = [candle(n, batch_id=f"batch-{n % 3}") for n in range(30)]
    broken = [candle(40, batch_id="batch-1", volume=-1.0), candle(41, batch_id="batch-2", low=None)]
    hours = [candle(60 * n, batch_id="hours", timeframe="1h") for n in range(3)]
    return gate.judge(gate.annotate(frame_of(session, [*minutes, *broken, *hours]))).verdicts


def test_a_run_has_a_page_for_each_table_with_all_batches_together(
    sail: SparkSession, tmp_path: Path
) -> None:
    index = write_data_docs(verdicts(sail), tmp_path, "run-1", NOW)
    assert index == tmp_path / "data_docs" / "index.html"
    assert "run-1" in index.read_text()
    pages = sorted((tmp_path / "data_docs" / "validations").rglob("*.html"))
    assert [page.parts[-4] for page in pages] == ["raw_market_data_1h", "raw_market_data_1m"]
    assert "values must be greater than or equal to" in pages[1].read_text()


def test_an_earlier_run_stays_in_the_index(sail: SparkSession, tmp_path: Path) -> None:
    found = verdicts(sail)
    for run in ("run-1", "run-2"):
        index = write_data_docs(found, tmp_path, run, NOW)
    assert all(run in index.read_text() for run in ("run-1", "run-2"))


def test_only_the_newest_runs_are_kept(sail: SparkSession, tmp_path: Path) -> None:
    found = verdicts(sail)
    for number in range(4):
        moment = NOW + timedelta(hours=number)
        index = write_data_docs(found, tmp_path, f"run-{number}", moment, keep=2)
    assert ["run-" + n in index.read_text() for n in "0123"] == [False, False, True, True]
    for kept in ("validations", ".results"):
        files = [file for file in (index.parent / kept).rglob("run-*/*/*") if file.is_file()]
        assert {file.parts[-3] for file in files} == {"run-2", "run-3"}


def test_the_index_says_which_results_were_good(sail: SparkSession, tmp_path: Path) -> None:
    gate = Gate("bronze.raw_market_data", load_settings(), NOW)
    for run, volume in {"good": 1.0, "bad": -1.0}.items():
        rows = frame_of(sail, [candle(0, volume=volume)])
        found = gate.judge(gate.annotate(rows)).verdicts
        index = write_data_docs(found, tmp_path, run, NOW).read_text()
    assert [index.count(f"ge-{icon}-icon") for icon in ("success", "failed")] == [1, 1]


def test_no_verdicts_make_an_empty_index(tmp_path: Path) -> None:
    assert write_data_docs([], tmp_path, "run-1").exists()
