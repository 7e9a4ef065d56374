"""Producers: processes that receive trades and tickers, check them, and write them to Kafka."""

from lakehouse.producers.running import run_producer
from lakehouse.producers.service import producer_service

__all__ = ["producer_service", "run_producer"]
