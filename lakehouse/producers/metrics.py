"""What a producer counts, served to Prometheus on loopback."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    start_http_server,
)

from lakehouse.errors import StreamFailed

BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600)


class Metrics:
    """The metrics of one stream. Thread-safe."""

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)

        def counter(name: str, text: str, *labels: str) -> Counter:
            names = ("stream", *labels)
            return Counter(f"pipeline_producer_{name}", text, names, registry=registry)

        self.received = counter("received", "Trades or tickers that arrived").labels(stream)
        self.valid = counter("valid", "Accepted ones").labels(stream)
        self.produced = counter("produced", "Messages the broker has").labels(stream)
        self.reconnects = counter("reconnects", "Connections lost or refused").labels(stream)
        self._rejected = counter("rejected", "Ones that became dead letters", "reason")
        self._errors = counter("errors", "Calls that failed, errors a feed sent", "exchange")
        self.latency = Histogram(
            "pipeline_producer_latency_seconds",
            "From receiving to the broker's confirmation, of the oldest message of each batch",
            buckets=BUCKETS,
            registry=registry,
        )
        self._backlog = Gauge(
            "pipeline_producer_backlog_bytes",
            "What is in the journal and not confirmed",
            ["stream"],
            registry=registry,
        )

    def count(self, received: int, rejected: Mapping[str, int]) -> None:
        """Of one frame: how many came, and how many of them were rejected for which reason."""
        self.received.inc(received)
        if rejected:
            for reason, number in rejected.items():
                self._rejected.labels(self._stream, reason).inc(number)
            received -= sum(rejected.values())
        self.valid.inc(received)

    def error(self, exchange: str) -> None:
        self._errors.labels(self._stream, exchange).inc()

    def watch_backlog(self, backlog_bytes: Callable[[], float]) -> None:
        self._backlog.labels(self._stream).set_function(backlog_bytes)

    def serve(self, port: int) -> Callable[[], None]:
        """Listen; the function returned ends that. Raises StreamFailed."""
        try:
            server, thread = start_http_server(port, addr="127.0.0.1", registry=self.registry)
        except OSError as error:
            problem = f"port {port} for its metrics: {error.strerror}"
            raise StreamFailed(stream=self._stream, problem=problem) from None

        def end() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        return end
