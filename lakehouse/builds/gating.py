"""The gate behind dbt: what was just written is checked, and what fails leaves the table."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from lakehouse import delta
from lakehouse.dead_letters import write_dead_letters
from lakehouse.errors import BatchQuarantined
from lakehouse.gate import BatchVerdict, Gate
from lakehouse.outcomes import Recorder
from lakehouse.settings import Settings
from lakehouse.tables import Table

NAMED = 3  # a person wants to see where they are, not all of them


@dataclass(frozen=True, slots=True)
class Gated:
    """How many rows of a table were checked, and what became of those that failed."""

    rows: int = 0
    rejected: int = 0
    dead_letters: list[Path] = field(default_factory=list)


def gate_table(
    session: SparkSession,
    settings: Settings,
    recorder: Recorder,
    table: Table,
    since: datetime,
    batch_id: str,
    written_anew: Column | None = None,
) -> Gated:
    """Check the rows updated after `since`, and those that a refresh wrote anew: they keep their
    times. Rows that fail leave the table as dead letters.

    Raises BatchQuarantined.
    """
    gate = Gate(table.full_name, settings)
    is_written = F.col("updated_at") > F.lit(since)
    if written_anew is not None:
        is_written |= written_anew
    written = session.table(table.full_name).where(is_written)
    judged = gate.judge(gate.annotate(written.withColumn("batch_id", F.lit(batch_id))))
    if not judged.verdicts:
        return Gated()
    (verdict,) = judged.verdicts
    recorder.judged(judged.verdicts, gate.now)
    letters = write_dead_letters(judged, settings) if verdict.rejected else []
    if verdict.is_quarantined:
        raise quarantine_error(verdict, letters)
    if verdict.rejected:
        rejected = judged.rows.where(F.size("reasons") > F.lit(0)).select(*table.keys)
        # As values: computed anew inside the MERGE, the gate's plan takes Sail minutes.
        delta.delete(session.createDataFrame(rejected.toArrow()), table.full_name, table.keys)
    return Gated(verdict.rows, verdict.rejected, letters)


def quarantine_error(verdict: BatchVerdict, letters: list[Path]) -> BatchQuarantined:
    """What a person is told when a gate refuses a whole batch."""
    return BatchQuarantined(
        table=verdict.table,
        subject=f"batch {verdict.batch_id}",
        rows=verdict.rows,
        rejected=verdict.rejected,
        percent=100 * verdict.share,
        tolerance=100 * verdict.tolerance,
        reasons=", ".join(f"{reason} ({n})" for reason, n in verdict.reasons.items()),
        dead_letters=_named([one for one in letters if one.parent.name in verdict.table]),
    )


def _named(letters: list[Path]) -> str:
    named = ", ".join(str(letter) for letter in letters[:NAMED])
    return named + (f" and {len(letters) - NAMED} more" if len(letters) > NAMED else "")
