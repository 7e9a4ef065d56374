"""Metrics for Prometheus, counted from the lakehouse's own records.

A batch job is gone when Prometheus comes by, so the figures go to a text file that node_exporter's
textfile collector reads, and that a restart does not set back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Metric, write_to_textfile
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily

from lakehouse import ops
from lakehouse.inventory import inventory
from lakehouse.settings import Settings


def write_metrics(settings: Settings) -> Path:
    """Write `<lake>/metrics/lakehouse.prom`, whole or not at all; its path."""
    file = settings.lake / "metrics" / "lakehouse.prom"
    file.parent.mkdir(parents=True, exist_ok=True)
    registry = CollectorRegistry()
    registry.register(LakeCollector(settings))
    write_to_textfile(str(file), registry)
    return file


class LakeCollector:
    """Collects the pipeline_… metrics of a lake."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def collect(self) -> Iterator[Metric]:
        progress = ops.read(self.settings, "ops.progress").to_pylist()
        outcomes = ops.read(self.settings, "ops.outcomes").to_pylist()
        yield self._records(progress)
        yield self._errors(progress, outcomes)
        yield self._durations(outcomes)
        yield self._checks()
        yield self._sizes()

    def _records(self, progress: list[dict[str, Any]]) -> Metric:
        rows: Counter[tuple[str, ...]] = Counter()
        for row in progress:
            if row["status"] == "landed":
                labels = (row["asset_pair"], row["timeframe"], row["served_by"])
                rows[labels] += row["rows_fetched"]
        name = "pipeline_ingestion_records"
        labels = ("asset_pair", "timeframe", "provider")
        return _counter(name, "Candles that a landing fetched", labels, rows)

    def _errors(self, progress: list[dict[str, Any]], outcomes: list[dict[str, Any]]) -> Metric:
        kinds: Counter[tuple[str, ...]] = Counter()
        kinds.update((row["status"],) for row in progress if row["status"] != "landed")
        kinds.update((row["error"].split(":")[0],) for row in outcomes if row["error"])
        name = "pipeline_ingestion_errors"
        return _counter(name, "Windows and steps that failed", ("error_type",), kinds)

    def _durations(self, outcomes: list[dict[str, Any]]) -> Metric:
        family = SummaryMetricFamily(
            "pipeline_ingestion_duration_seconds", "Duration of steps", labels=["step"]
        )
        for step in sorted({row["step"] for row in outcomes}):
            took = [row["duration_seconds"] for row in outcomes if row["step"] == step]
            family.add_metric([step], count_value=len(took), sum_value=sum(took))
        return family

    def _checks(self) -> Metric:
        checks: Counter[tuple[str, ...]] = Counter()
        for row in ops.read(self.settings, "ops.quality_results").to_pylist():
            result = "success" if row["is_success"] else row["severity"]
            checks[row["table"], row["expectation"], result] += 1
        name = "pipeline_data_quality_checks"
        labels = ("table", "expectation", "result")
        return _counter(name, "Expectations checked by gates", labels, checks)

    def _sizes(self) -> Metric:
        family = GaugeMetricFamily(
            "pipeline_delta_table_size_bytes", "Size of the present version", labels=["table"]
        )
        for table in inventory(self.settings):
            family.add_metric([table.table], table.size_bytes)
        return family


def _counter(
    name: str, help_text: str, labels: tuple[str, ...], counts: Counter[tuple[str, ...]]
) -> Metric:
    family = CounterMetricFamily(name, help_text, labels=labels)
    for values, count in sorted(counts.items()):
        family.add_metric(list(values), count)
    return family
