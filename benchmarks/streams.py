"""Trades from Kafka into bronze and one-minute candles: how fast a topic is drained, and how long a
trade takes from the websocket to a candle that can be read.

    .venv/bin/python -m benchmarks.streams drain [--messages 1500000] [--rounds 3]
    .venv/bin/python -m benchmarks.streams live [--rates 2000,20000,50000] [--seconds 60]

`drain` has each side take the same messages from the same broker, in turn: the lakehouse, with its
gate, its dead letters and exactly-once; a plain Structured Streaming job; a Python consumer with
confluent-kafka and delta-rs. `live` runs exchange, producer, broker and stream on this machine.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
from deltalake import DeltaTable

from benchmarks import plain_streams
from benchmarks.machine import machine, spread
from lakehouse import services
from lakehouse.engine import stream_session
from lakehouse.kafka import bootstrap_servers, ensure_topics
from lakehouse.settings import Settings, load_settings
from lakehouse.streams.query import start_query
from lakehouse.streams.stream import TRADES

COMMAND = str(Path(sys.executable).with_name("lakehouse"))


@contextmanager
def broker(scratch: Path) -> Iterator[Settings]:
    """Settings of a lake whose broker runs."""
    base = load_settings().model_copy(update={"root": scratch})
    settings = base.model_copy(update={"kafka": base.kafka.model_copy(update={"port": 0})})
    try:
        servers = bootstrap_servers(settings)
        ensure_topics(settings, [settings.kafka.trades])
        named = settings.kafka.model_copy(update={"bootstrap_servers": servers})
        yield settings.model_copy(update={"kafka": named})
    finally:
        services.stop_all(settings.lake)


def lakehouse_drains(settings: Settings, lake: Path) -> None:
    own = settings.model_copy(update={"root": lake})
    session = stream_session(settings)  # the broker's lake has the engine of all sides
    for table in ("bronze.raw_trades", "silver.trade_aggregates"):
        session.sql(f"DROP TABLE IF EXISTS {table}")
    query = start_query(session, own, TRADES, is_once=True)
    while query.isActive:
        time.sleep(0.05)
    if query.exception():
        sys.exit(str(query.exception()))
    session.stop()


def drain(messages: int, rounds: int) -> None:
    sides: dict[str, Callable[[Settings, Path], None]] = {
        "lakehouse": lakehouse_drains,
        "plain Structured Streaming": plain_streams.spark_drains,
        "Python consumer": plain_streams.python_drains,
    }
    taken: dict[str, list[float]] = {name: [] for name in sides}
    with tempfile.TemporaryDirectory() as scratch, broker(Path(scratch) / "broker") as settings:
        plain_streams.fill_topic(settings, messages)
        for number in range(rounds + 1):
            found = []
            for name, side in sides.items():
                lake = Path(scratch) / f"{name.replace(' ', '-')}-{number}"
                since = time.perf_counter()
                side(settings, lake)
                taken[name].append(time.perf_counter() - since)
                found.append(outcome(lake, messages))
            plain_streams.demand_equal(found)
    print(f"{messages:,} messages, {machine()}; the first round, not counted, warms the engine")
    base = sorted(taken["lakehouse"][1:])[rounds // 2]
    for name, seconds in taken.items():
        median = sorted(seconds[1:])[rounds // 2]
        rate, ratio = messages / median, median / base
        print(f"{name}: {spread(seconds[1:])}, {rate:,.0f}/s, {ratio:.2f} of the lakehouse's time")


def outcome(lake: Path, messages: int) -> pl.DataFrame:
    """The candles a side made; all messages must be in its bronze."""
    bronze = DeltaTable(str(lake / "bronze" / "raw_trades"))
    if bronze.count() != messages:
        sys.exit(f"{lake.name}: {bronze.count()} rows of {messages}")
    silver = DeltaTable(str(lake / "silver" / "trade_aggregates")).to_pyarrow_table()
    names = ("symbol", "window_start", "open", "high", "low", "close", "volume", "trade_count")
    return pl.DataFrame(pl.from_arrow(silver)).select(names).sort("symbol", "window_start")


def live(rates: list[int], warm_up: int, seconds: int, batch_seconds: float) -> None:
    print(f"{machine()}; exchange, producer, broker and stream together; {batch_seconds} s batches")
    for rate in rates:
        with tempfile.TemporaryDirectory() as scratch:
            reached = latencies(Path(scratch) / "lake", rate, warm_up, seconds, batch_seconds)
        print(f"{rate:,}/s: {reached}")


def latencies(lake: Path, rate: int, warm_up: int, seconds: int, batch_seconds: float) -> str:
    """Run the stream for so long after it has warmed up and caught up; what was reached."""
    environment = {
        **os.environ,
        "LAKEHOUSE__ROOT": str(lake),
        "LAKEHOUSE__KAFKA__PORT": "0",
        "LAKEHOUSE__STREAMS__BATCH_SECONDS": str(batch_seconds),
        "LAKEHOUSE__SIMULATED__TRADES_PER_SECOND": str(rate),
    }

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [COMMAND, *arguments], env=environment, check=True, capture_output=True, text=True
        )
        return done.stdout

    try:
        run("stream", "start", "trades")
        time.sleep(warm_up)
        since = time.time()
        time.sleep(seconds)
        (status,) = json.loads(run("stream", "status", "trades", "--json"))
        run("stream", "stop")
    finally:
        run("down")
    return f"{measured(lake, since, seconds)}, {status['lag_messages']:,} waiting at the end"


def measured(lake: Path, since: float, seconds: int) -> str:
    batches = pl.read_delta(str(lake / "ops" / "stream_batches"))
    epoch = pl.col("recorded_at").dt.epoch("ms") / 1000
    chosen = batches.filter(epoch.is_between(since, since + seconds)).with_columns(
        (pl.col("run_id") + "-" + pl.col("batch_id").cast(pl.String)).alias("batch")
    )
    trades = pl.scan_delta(str(lake / "bronze" / "raw_trades")).select("timestamp", "batch_id")
    both = trades.join(
        chosen.select("batch", "recorded_at").lazy(), left_on="batch_id", right_on="batch"
    ).collect()
    waits = (both["recorded_at"] - both["timestamp"]).dt.total_milliseconds() / 1000
    shares = {f"p{share}": waits.quantile(share / 100) for share in (50, 95, 99)}
    spans = ", ".join(f"{name} {value:.1f} s" for name, value in shares.items())
    return f"{len(both) / seconds:,.0f} trades/s landed, {spans}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["drain", "live"])
    parser.add_argument("--messages", type=int, default=1_500_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rates", default="2000,20000,50000")
    parser.add_argument("--warm-up", type=int, default=60)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--batch-seconds", type=float, default=1)
    flags = parser.parse_args()
    if flags.what == "drain":
        drain(flags.messages, flags.rounds)
    else:
        rates = [int(rate) for rate in flags.rates.split(",")]
        live(rates, flags.warm_up, flags.seconds, flags.batch_seconds)


if __name__ == "__main__":
    main()
