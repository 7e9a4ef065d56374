"""A stream's metrics for Prometheus, computed when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Metric, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from lakehouse.settings import Settings
from lakehouse.streams.record import total_rows
from lakehouse.streams.status import status_of
from lakehouse.streams.stream import Stream

HOST = "127.0.0.1"
GAUGES = {
    "pipeline_stream_lag_seconds": ("lag_seconds", "How long the newest landed message is old"),
    "pipeline_stream_lag_messages": ("lag_messages", "Messages that were not landed yet"),
    "pipeline_stream_batch_seconds": ("last_batch_seconds", "How long the last micro-batch took"),
    "pipeline_stream_messages_per_second": ("messages_per_second", "Over the last minute"),
}


def serve_metrics(settings: Settings, stream: Stream, port: int) -> None:
    """Answer Prometheus on loopback, from a thread, until the process ends."""
    registry = CollectorRegistry()
    registry.register(StreamCollector(settings, stream))
    start_http_server(port, addr=HOST, registry=registry)


class StreamCollector:
    """Collects the pipeline_stream_… metrics of a stream."""

    def __init__(self, settings: Settings, stream: Stream) -> None:
        self.settings = settings
        self.stream = stream

    def describe(self) -> list[Metric]:
        # Nothing is asked of the broker before Prometheus comes by.
        return []

    def collect(self) -> Iterator[Metric]:
        status = status_of(self.settings, self.stream)
        for name, (field, meaning) in GAUGES.items():
            family = GaugeMetricFamily(name, meaning, labels=["stream"])
            if (value := getattr(status, field)) is not None:
                family.add_metric([self.stream.name], value)
            yield family
        rows = CounterMetricFamily(
            "pipeline_stream_rows", "Messages by what became of them", labels=["stream", "result"]
        )
        for result, count in total_rows(self.settings, self.stream).items():
            rows.add_metric([self.stream.name, result], count)
        yield rows
