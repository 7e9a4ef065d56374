"""Writing dead letters: one for each batch and set of reasons, at any number of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import structlog
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.dead_letters.letter import Record, path_of, write_letter
from lakehouse.dead_letters.records import REASON, exported, recorder, redactor
from lakehouse.gate.marks import MARKS, REASONS
from lakehouse.gate.verdicts import BatchVerdict, Judgement
from lakehouse.settings import Settings

log = structlog.get_logger(__name__)

BETWEEN = "; "
QUARANTINED = "its batch was quarantined"  # of good rows that were refused with their batch
BATCH = "batch_id"
GROUP = "gate_batch"  # the batch once more, for a row may not say of which it is


def write_dead_letters(
    judgement: Judgement, settings: Settings, now: datetime | None = None
) -> list[Path]:
    """Letters for every rejected row, and for all rows of quarantined batches.

    Rows stream from the engine into the files. Writing the same batch again replaces its letters.
    Raises DeadLetterError.
    """
    verdicts = {v.batch_id: v for v in judgement.verdicts if v.rejected or v.is_quarantined}
    if not verdicts:
        return []
    rows = _refused(judgement, verdicts)
    fields = [field for field in rows.schema if field.name not in {REASON, *MARKS}]
    stream = rows.select(F.col(BATCH).alias(GROUP), REASON, *exported(fields)).toLocalIterator()
    writer = _Writer(settings, redactor(settings), recorder(fields), now or datetime.now(UTC))
    letters = [
        writer.write(verdicts[batch_id], error, group)
        for (batch_id, error), group in groupby(stream, key=lambda row: (row[0], row[1]))
    ]
    log.info("dead_letters_written", letters=len(letters), batches=len(verdicts))
    return letters


def _refused(judgement: Judgement, verdicts: dict[str, BatchVerdict]) -> DataFrame:
    """The rows that need a letter, with `reason`, in the order of the letters."""
    rows = judgement.rows
    if BATCH not in rows.columns:
        (batch_id,) = verdicts
        rows = rows.withColumn(BATCH, F.lit(batch_id))
    is_bad = F.size(REASONS) > 0
    is_lost = F.col(BATCH).isin(sorted(judgement.quarantined))
    reason = F.when(is_bad, F.concat_ws(BETWEEN, REASONS)).otherwise(F.lit(QUARANTINED))
    refused = rows.where(is_bad | is_lost).withColumn(REASON, reason)
    return refused.orderBy(BATCH, REASON)


@dataclass(frozen=True, slots=True)
class _Writer:
    settings: Settings
    redact: Callable[[Any], Any]
    record: Callable[[tuple[Any, ...]], Record]
    now: datetime

    def write(self, verdict: BatchVerdict, error: str, rows: Iterator[tuple[Any, ...]]) -> Path:
        first = next(rows)
        context = self._context(verdict, self.record(first[2:]))
        head = {
            "timestamp": self.now.isoformat(),
            "error": error,
            "context": self.redact(context),
        }
        path = path_of(self.settings.lake, verdict.table, verdict.batch_id, error, self.now)
        write_letter(path, head, self._records(first, rows))
        return path

    def _records(self, first: tuple[Any, ...], rows: Iterator[tuple[Any, ...]]) -> Iterator[Record]:
        yield self._with_reason(first)
        for row in rows:
            yield self._with_reason(row)

    def _with_reason(self, row: tuple[Any, ...]) -> Record:
        record: Record = self.redact(self.record(row[2:]))
        return {**record, REASON: row[1]}

    def _context(self, verdict: BatchVerdict, first: Record) -> dict[str, str | None]:
        return {
            "asset_pair": verdict.asset_pair,
            "timeframe": verdict.timeframe,
            "provider": verdict.provider,
            "table": verdict.table,
            "batch_id": verdict.batch_id,
            "source": first.get("source"),
        }
