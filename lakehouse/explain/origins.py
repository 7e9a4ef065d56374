"""Where a row came from: the rows of bronze it is made of, and what brought each of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import polars as pl

from lakehouse import ops
from lakehouse.explain.files import Row, frame_now
from lakehouse.explain.span import Span, is_of_moments, origins
from lakehouse.explain.versions import History
from lakehouse.landing_rows import VALUES
from lakehouse.settings import Settings
from lakehouse.tables import Table

# A row for each of so few; of more, one for each batch they came with.
FEW = 12
# What silver takes of a row of bronze as it is.
TAKEN = ("provider", *VALUES)
SOURCE_COLUMNS = ("batch_id", "timeframe", "provider", "source", "run_id", "landed_at")
ATTEMPT_COLUMNS = ("timeframe", "provider", "served_by", "status", "batch_id", "run_id", "error")
BATCH_COLUMNS = ("rows_in", "rows_out", "rows_rejected", "rows_duplicate", "rows_late")


@dataclass(slots=True)
class Origin:
    """What bronze holds of a row.

    `rows` are rows of bronze (table, provider, timeframe, timestamp, values, batch_id, ingested_at)
    or, of many, a sum for each batch (…, candles, first, last, batch_id, ingested_at); of messages
    (topic, partition, first_offset, last_offset, messages, batch_id, ingested_at). `calls` are the
    calls or files they came with, `attempts` what was asked of the sources (see ops.progress),
    `micro_batches` what a stream noted.
    """

    rows: list[Row] = field(default_factory=list)
    calls: list[Row] = field(default_factory=list)
    attempts: list[Row] = field(default_factory=list)
    micro_batches: list[Row] = field(default_factory=list)

    @property
    def batches(self) -> list[str]:
        return sorted({row["batch_id"] for row in self.rows if row["batch_id"]})

    def mark_taken(self, histories: Sequence[History]) -> None:
        """Note in `is_in_silver` which of several rows of one candle silver took, by what the
        histories say of it now."""
        for history in histories:
            now = history.versions[-1].rows if history.versions else None
            if now and history.span.table.layer == "silver" and set(TAKEN) <= now[0].keys():
                for row in self.rows:
                    row["is_in_silver"] = all(row.get(name) == now[0][name] for name in TAKEN)


def origin_of(settings: Settings, span: Span) -> Origin:
    """What bronze holds of the row, and how it got there."""
    spans = origins(span)
    frames = [(each, frame_now(settings, each)) for each in spans]
    if span.table.is_streamed:
        return _of_messages(settings, frames)
    if is_of_moments(span.table):
        # Of each timeframe the candle that closed last is the one that is read.
        newest = pl.col("timestamp") == pl.col("timestamp").max()
        frames = [(each, frame.filter(newest)) for each, frame in frames]
    few = sum(len(frame) for _, frame in frames) <= FEW
    summed_up = _each if few else _by_batch
    rows = [row for each, frame in frames for row in summed_up(each.table, frame)]
    found = Origin(rows=rows, attempts=_attempts(settings, spans))
    found.calls = _calls(settings, found.batches, spans)
    return found


def _each(table: Table, frame: pl.DataFrame) -> list[Row]:
    names = ("provider", "timeframe", "timestamp", *VALUES, "batch_id", "ingested_at")
    ordered = frame.sort("timestamp", "ingested_at")
    return [{"table": table.full_name, **row} for row in ordered.select(names).to_dicts()]


def _by_batch(table: Table, frame: pl.DataFrame) -> list[Row]:
    time, landed = pl.col("timestamp"), pl.col("ingested_at")
    summed = frame.group_by("provider", "timeframe", "batch_id").agg(
        pl.len().alias("candles"), time.min().alias("first"), time.max().alias("last"), landed.max()
    )
    ordered = summed.sort("first", "batch_id")
    return [{"table": table.full_name, **row} for row in ordered.to_dicts()]


def _calls(settings: Settings, batches: Iterable[str], spans: list[Span]) -> list[Row]:
    """Rows of ops.sources for the batches, of calls whose candles overlap the spans."""
    chosen = ", ".join(f'"{name}"' for name in (*SOURCE_COLUMNS, "first_candle", "last_candle"))
    found = ops.query(
        settings,
        "ops.sources",
        f"SELECT {chosen} FROM rows WHERE batch_id IN ({texts(batches)}) "
        "ORDER BY first_candle, timeframe, source",
    )
    by_timeframe = {span.timeframe: span for span in spans}
    return [
        row
        for row in found
        if (span := by_timeframe.get(row["timeframe"]))
        and row["first_candle"] < span.last
        and row["last_candle"] >= span.first
    ]


def _attempts(settings: Settings, spans: list[Span]) -> list[Row]:
    """What ops.progress says of windows that overlap the spans: one row for each batch, timeframe
    and way it ended, the last one last."""
    found = [
        row
        for span in spans
        for row in ops.query(
            settings,
            "ops.progress",
            f"SELECT * FROM rows WHERE asset_pair = {texts([span.asset])} "
            f"AND timeframe = '{span.timeframe}' "
            f"AND window_start < {moment(span.last)} AND window_end > {moment(span.first)}",
        )
    ]
    if not found:
        return []
    rows = pl.DataFrame(found, infer_schema_length=None)
    rows = rows.sort("recorded_at", "timeframe", "window_start")
    summed = rows.group_by(ATTEMPT_COLUMNS, maintain_order=True).agg(
        pl.col("window_start").min(),
        pl.col("window_end").max(),
        pl.col("rows_fetched").sum(),
        pl.col("recorded_at").max(),
    )
    return summed.to_dicts()


def _of_messages(settings: Settings, frames: list[tuple[Span, pl.DataFrame]]) -> Origin:
    rows = [row for span, frame in frames for row in _by_partition(span, frame)]
    found = Origin(rows=rows)
    for batch in found.batches:
        run_id, _, number = batch.rpartition("-")
        found.micro_batches += ops.query(
            settings,
            "ops.stream_batches",
            f"SELECT stream, batch_id, run_id, started_at, {', '.join(BATCH_COLUMNS)}, offsets "
            f"FROM rows WHERE run_id = {texts([run_id])} AND batch_id = {number}",
        )
    return found


def _by_partition(span: Span, frame: pl.DataFrame) -> list[Row]:
    offset = pl.col("offset")
    summed = frame.group_by("topic", "partition", "batch_id").agg(
        offset.min().alias("first_offset"),
        offset.max().alias("last_offset"),
        pl.len().alias("messages"),
        pl.col("ingested_at").max(),
    )
    ordered = summed.sort("partition", "first_offset")
    return [{"table": span.table.full_name, **row} for row in ordered.to_dicts()]


def texts(values: Iterable[str]) -> str:
    """SQL literals, with commas between; NULL for none."""
    quoted = ["'" + value.replace("'", "''") + "'" for value in values]
    return ", ".join(quoted) or "NULL"


def moment(time: object) -> str:
    """A time in UTC as an SQL literal."""
    return f"timestamp '{time:%Y-%m-%dT%H:%M:%S.%fZ}'"
