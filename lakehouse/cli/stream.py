"""`lakehouse stream …`: trades and prices from Kafka into the lake, while they happen."""

from __future__ import annotations

from dataclasses import asdict

import typer

from lakehouse.cli.output import print_json, print_rows, say
from lakehouse.settings import load_settings

app = typer.Typer(help="Streams: trades and prices, from the exchange over Kafka into the lake.")

NAME = typer.Argument(help="trades or prices.")
NAMES = typer.Argument(None, help="trades or prices; none: both.")
JSON = typer.Option(False, "--json", help="Print JSON.")


@app.command()
def start(
    name: str = NAME,
    foreground: bool = typer.Option(False, "--foreground", help="Land in this process."),
    producer: bool = typer.Option(True, help="Start what fills the topic as well."),
) -> None:
    """Start a stream, or find it running; the broker, the topic and the engine with it."""
    from lakehouse.streams.service import ensure_producer, ensure_stream
    from lakehouse.streams.stream import stream_named

    settings, stream = load_settings(), stream_named(name)
    if not foreground:
        ensure_stream(settings, stream, with_producer=producer)
        say(f"Stream {name} runs. `lakehouse stream status` shows how it goes.")
        return
    from lakehouse.streams.__main__ import run_stream

    if producer:
        ensure_producer(settings, stream)
    say(f"Stream {name} runs in this process; Ctrl-C ends it after the current batch.")
    run_stream(settings, stream, metrics_port=None)


@app.command()
def status(names: list[str] | None = NAMES, as_json: bool = JSON) -> None:
    """How fast each stream is, and how far behind."""
    from lakehouse.streams.status import status_of
    from lakehouse.streams.stream import STREAMS, stream_named

    settings = load_settings()
    found = [asdict(status_of(settings, stream_named(name))) for name in names or STREAMS]
    (print_json if as_json else print_rows)(found)


@app.command()
def stop(names: list[str] | None = NAMES) -> None:
    """End streams after their current batch; the broker and the engine go on."""
    from lakehouse.streams.service import stop_stream
    from lakehouse.streams.stream import STREAMS, stream_named

    settings = load_settings()
    stopped = [s for name in names or STREAMS for s in stop_stream(settings, stream_named(name))]
    say(f"Stopped {', '.join(stopped)}." if stopped else "No stream was running.")


@app.command()
def gate() -> None:
    """Gate the candles of trades that changed since they were gated last."""
    from lakehouse.backfill import runs
    from lakehouse.engine import connect
    from lakehouse.outcomes import Recorder
    from lakehouse.streams.audit import audit

    settings = load_settings()
    gated = audit(connect(settings), settings, Recorder(settings, runs.new_run_id()))
    say(f"{gated.rows} candles checked, {gated.rejected} refused.")
    if gated.rejected:
        raise typer.Exit(1)


@app.command()
def late() -> None:
    """Bring in the trades that came too late for their minute: the candles are computed anew."""
    from lakehouse.streams.aggregates import bring_in_late

    say(f"{bring_in_late(load_settings())} candles changed.")
