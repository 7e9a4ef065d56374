"""The streams there are: from which topic, through which gate, into which tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from filelock import FileLock

from lakehouse.errors import UnknownStream
from lakehouse.settings import Settings, Topic
from lakehouse.tables import Table, table_named


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream; `silver_table` is kept up to date from its bronze table."""

    name: Literal["trades", "prices"]
    bronze_table: str
    silver_table: str

    @property
    def bronze(self) -> Table:
        return table_named(self.bronze_table)

    @property
    def silver(self) -> Table:
        return table_named(self.silver_table)

    def topic(self, settings: Settings) -> Topic:
        topic: Topic = getattr(settings.kafka, self.name)
        return topic

    def home(self, settings: Settings) -> Path:
        """Where its checkpoint is, and what else it must find again."""
        return settings.lake / "streams" / self.name

    def lock(self, settings: Settings) -> FileLock:
        """Held by whoever writes to its tables: what is new there is found out before it is
        written."""
        path = settings.lake / ".services" / f"{self.name}-tables.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(path)


TRADES = Stream("trades", "bronze.raw_trades", "silver.trade_aggregates")
PRICES = Stream("prices", "bronze.raw_prices", "silver.stg_prices")
STREAMS: dict[str, Stream] = {stream.name: stream for stream in (TRADES, PRICES)}


def stream_named(name: str) -> Stream:
    """The stream of that name. Raises UnknownStream."""
    try:
        return STREAMS[name]
    except KeyError:
        raise UnknownStream(stream=name, known=", ".join(STREAMS)) from None
