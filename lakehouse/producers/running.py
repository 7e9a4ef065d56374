"""Running a producer: the parts put together, until a signal or an error ends it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import Literal, Protocol

from lakehouse.producers.feed import TradeFeed
from lakehouse.producers.journal import Journal
from lakehouse.producers.kafka import ensure_topic, producer_factory
from lakehouse.producers.letters import Letters
from lakehouse.producers.metrics import Metrics
from lakehouse.producers.outbox import Outbox
from lakehouse.producers.polling import TickerPoll
from lakehouse.producers.sender import Sender
from lakehouse.settings import Settings

Stream = Literal["trades", "prices"]
TABLES: dict[Stream, str] = {"trades": "bronze.raw_trades", "prices": "bronze.raw_prices"}


class Receiver(Protocol):
    """What fills the journal, for ever; made of settings, journal and metrics."""

    async def receive(self) -> None: ...


RECEIVERS: dict[Stream, Callable[[Settings, Journal, Metrics], Receiver]] = {
    "trades": TradeFeed,
    "prices": TickerPoll,
}


def run_producer(settings: Settings, stream: Stream, metrics_port: int) -> None:
    """Receive and send until SIGTERM or SIGINT; then send what was accepted, and return.

    Raises LakehouseError: StreamFailed, TopicDiffers, BrokerStartFailed, DeadLetterError …
    """
    topic = getattr(settings.kafka, stream)
    journal = Journal(settings.lake / "producers" / stream / "journal", stream)
    metrics = Metrics(stream)
    metrics.watch_backlog(journal.backlog_bytes)
    try:
        receiver = RECEIVERS[stream](settings, journal, metrics)
        ensure_topic(settings, topic)
        letters = Letters(settings.lake, stream, TABLES[stream])
        new_producer = producer_factory(settings, topic)
        sender = Sender(journal, Outbox(topic.name, new_producer), letters, metrics)
        end_metrics = metrics.serve(metrics_port)
        try:
            asyncio.run(_run(receiver, sender))
        finally:
            end_metrics()
    finally:
        journal.close()


async def _run(receiver: Receiver, sender: Sender) -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    receiving = asyncio.create_task(receiver.receive())
    sending = asyncio.create_task(asyncio.to_thread(sender.run))
    waiting = asyncio.create_task(told.wait())
    await asyncio.wait({receiving, sending, waiting}, return_when=asyncio.FIRST_COMPLETED)
    for task in (receiving, waiting):
        task.cancel()
    await asyncio.wait({receiving, waiting})
    sender.stop()
    await asyncio.wait({sending})
    for task in (receiving, sending):
        if not task.cancelled():
            task.result()
