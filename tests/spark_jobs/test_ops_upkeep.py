"""Upkeep on tables written by delta-rs: fewer files, the same rows, nothing anybody may still read
is gone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake
from prometheus_client.parser import text_string_to_metric_families

from lakehouse import maintenance, ops
from lakehouse.settings import Settings
from lakehouse.tables import bronze_table
from spark_jobs import ops_upkeep

HOURLY = bronze_table("1h")
START = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture
def scattered(settings: Settings) -> DeltaTable:
    """A bronze table of two assets that 20 landings wrote, an hour each, the last hour first."""
    path = str(HOURLY.path(settings.lake))
    for hour in reversed(range(20)):
        rows = pl.DataFrame(
            {
                "partition_asset_pair": ["BTCUSD", "ETHUSD"],
                "timestamp": [START + timedelta(hours=hour)] * 2,
            }
        )
        partitions = ["partition_asset_pair"]
        write_deltalake(path, rows.to_arrow(), mode="append", partition_by=partitions)
    return DeltaTable(path)


def hours(table: DeltaTable) -> list[datetime]:
    rows = pl.from_arrow(DeltaTable(table.table_uri).to_pyarrow_table())
    assert isinstance(rows, pl.DataFrame)
    return rows.filter(partition_asset_pair="BTCUSD")["timestamp"].to_list()


def test_a_table_of_many_files_is_compacted_once(settings: Settings, scattered: DeltaTable) -> None:
    before = sorted(hours(scattered))
    assert ops_upkeep.compact(settings) == {HOURLY.full_name: 38}
    assert sorted(hours(scattered)) == before
    assert ops_upkeep.compact(settings) == {}


def test_a_table_of_few_files_is_left_alone(settings: Settings) -> None:
    ops.append(settings, "ops.runs", [{"run_id": "1", "status": "running", "recorded_at": START}])
    assert ops_upkeep.compact(settings) == {}


def test_a_table_is_ordered_as_its_registry_entry_says(
    settings: Settings, scattered: DeltaTable
) -> None:
    assert maintenance.order_of(HOURLY.full_name) == ("timestamp",)
    ops_upkeep.order(settings, HOURLY.full_name)
    assert hours(scattered) == [START + timedelta(hours=hour) for hour in range(20)]


def test_vacuum_spares_every_version_within_the_retention(
    settings: Settings, scattered: DeltaTable
) -> None:
    ops_upkeep.order(settings, HOURLY.full_name)
    assert ops_upkeep.vacuum(settings, HOURLY.full_name) == {HOURLY.full_name: 0}
    old = DeltaTable(scattered.table_uri, version=0).to_pyarrow_table()
    assert old.num_rows == 2


def test_vacuum_honours_the_retention_of_the_settings(
    settings: Settings, scattered: DeltaTable
) -> None:
    ops_upkeep.order(settings, HOURLY.full_name)
    brief = settings.model_copy(update={"retention_hours": 0})
    assert ops_upkeep.vacuum(brief, HOURLY.full_name) == {HOURLY.full_name: 40}
    assert len(hours(scattered)) == 20


def test_the_report_counts_every_table_but_the_records(
    settings: Settings, scattered: DeltaTable
) -> None:
    assert ops_upkeep.report(settings) == [{"table": HOURLY.full_name, "rows": 40}]


def attempt(status: str, rows: int = 0) -> dict[str, object]:
    return {
        "asset_pair": "BTCUSD",
        "timeframe": "1h",
        "provider": "binance",
        "window_start": START,
        "window_end": START + timedelta(days=1),
        "status": status,
        "served_by": "kraken" if status == "landed" else None,
        "rows_fetched": rows,
        "recorded_at": START,
    }


def outcome(step: str, seconds: float, error: str | None = None) -> dict[str, object]:
    return {
        "run_id": "1",
        "step": step,
        "subject": "x",
        "status": "error" if error else "success",
        "started_at": START,
        "duration_seconds": seconds,
        "error": error,
    }


def test_metrics_count_what_the_records_hold(settings: Settings, scattered: DeltaTable) -> None:
    ops.append(
        settings, "ops.progress", [attempt("landed", 20), attempt("landed", 4), attempt("failed")]
    )
    failing = outcome("gate", 2.0, "BatchQuarantined: 24 of 24")
    ops.append(settings, "ops.outcomes", [outcome("gate", 1.5), failing])
    check = {
        "run_id": "1",
        "table": HOURLY.full_name,
        "batch_id": "b",
        "expectation": "expect_x",
        "severity": "fail",
        "is_success": False,
        "checked_at": START,
    }
    ops.append(settings, "ops.quality_results", [check])
    families = text_string_to_metric_families(ops_upkeep.count(settings).read_text())
    found = {(s.name, *sorted(s.labels.values())): s.value for f in families for s in f.samples}
    assert found["pipeline_ingestion_records_total", "1h", "BTCUSD", "kraken"] == 24
    assert found["pipeline_ingestion_errors_total", "failed"] == 1
    assert found["pipeline_ingestion_errors_total", "BatchQuarantined"] == 1
    assert found["pipeline_ingestion_duration_seconds_sum", "gate"] == 3.5
    assert found["pipeline_ingestion_duration_seconds_count", "gate"] == 2
    checks = ("pipeline_data_quality_checks_total", HOURLY.full_name, "expect_x", "fail")
    assert found[checks] == 1
    assert found["pipeline_delta_table_size_bytes", HOURLY.full_name] > 0


def test_metrics_of_an_empty_lake_are_empty_and_no_failure(settings: Settings) -> None:
    assert "pipeline_ingestion_records_total{" not in ops_upkeep.count(settings).read_text()
