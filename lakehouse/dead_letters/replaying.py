"""Replaying: dead letters go through the same gate again; what passes now is landed.

Rows land first and leave their letter afterwards. A crash in between replays them once more, which
adds nothing, since landing is by key and value. The tolerance of a table is not asked: it guards
against what nobody has looked at, and a replay is somebody's decision.
"""

from __future__ import annotations

import shutil
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import structlog
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema

from lakehouse.dead_letters.letter import DeadLetter, Record, read_head, write_letter
from lakehouse.dead_letters.records import REASON, rebuilt
from lakehouse.dead_letters.writing import BETWEEN
from lakehouse.errors import UnreadableDeadLetter
from lakehouse.gate import Gate, Judgement, suite_of
from lakehouse.gate.marks import REASONS
from lakehouse.landing_rows import LANDING_SCHEMA
from lakehouse.scratch import through_files
from lakehouse.settings import Settings
from lakehouse.streams.rows import MESSAGE_SCHEMAS
from lakehouse.tables import table_named

log = structlog.get_logger(__name__)

LETTER = "dead_letter"
POSITION = "dead_letter_position"
ROWS_A_PART = 50_000
Land = Callable[[str, Judgement], Any]


@dataclass(slots=True)
class Replay:
    """What became of a replay. `landed` are the answers of the caller's `land`, one a suite."""

    passed: int = 0
    failed: int = 0
    resolved: list[DeadLetter] = field(default_factory=list)
    kept: list[DeadLetter] = field(default_factory=list)
    unreadable: list[UnreadableDeadLetter] = field(default_factory=list)
    landed: list[Any] = field(default_factory=list)


def replay(
    letters: Iterable[DeadLetter],
    session: SparkSession,
    settings: Settings,
    land: Land,
    now: datetime | None = None,
) -> Replay:
    """Gate the letters' records again, land what passes, keep the rest in the queue, marked.

    `land(table, judgement)` publishes `judgement.rows`, all of them good, adding nothing that is
    there already; `table` is that of the gate (`bronze.raw_market_data` for candles). Raises
    DeadLetterError and whatever `land` raises; the letters are then as they were.
    """
    done = Replay()
    by_suite: dict[str, list[DeadLetter]] = defaultdict(list)
    for letter in letters:
        by_suite[suite_of(letter.table).name].append(letter)
    for table, group in by_suite.items():
        staging = settings.lake / "staging" / f"replay-{uuid.uuid4().hex}"
        try:
            _Replaying(session, settings, land, now or datetime.now(UTC), done).run(
                table, group, staging
            )
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    return done


@dataclass(frozen=True, slots=True)
class _Replaying:
    session: SparkSession
    settings: Settings
    land: Land
    now: datetime
    done: Replay

    def run(self, table: str, letters: Sequence[DeadLetter], staging: Path) -> None:
        readable = self._stage(table, letters, staging)
        if not readable:
            return
        rows = self._gated(table, self.session.read.parquet(*map(str, readable)), staging)
        failures = _failures(rows)
        for path, letter in readable.items():
            self._settle(letter, failures.get(path.stem, {}))

    def _stage(
        self, table: str, letters: Sequence[DeadLetter], staging: Path
    ) -> dict[Path, DeadLetter]:
        """One Parquet file a letter; those that cannot be read are set aside."""
        staging.mkdir(parents=True)
        schema = _row_schema(self.session, table)
        staged: dict[Path, DeadLetter] = {}
        for number, letter in enumerate(letters):
            path = staging / f"{number}.parquet"
            try:
                _stage_letter(path, letter, schema)
                staged[path] = letter
            except UnreadableDeadLetter as error:
                path.unlink(missing_ok=True)
                self.done.unreadable.append(error)
        return staged

    def _gated(self, table: str, frame: DataFrame, staging: Path) -> DataFrame:
        """The rows as the gate sees them now, after those that pass were landed."""
        gate = Gate(table, self.settings, self.now)
        gated = through_files(gate.annotate(frame), staging / "gated")
        judged = gate.judge(gated, scratch=staging / "repeated")
        good = judged.rows.where(F.size(REASONS) == 0).drop(LETTER, POSITION)
        verdicts = [replace(v, tolerance=1.0, findings=()) for v in judged.verdicts]
        if any(verdict.rows > verdict.rejected for verdict in verdicts):
            self.done.landed.append(self.land(table, Judgement(verdicts, good)))
        return judged.rows

    def _settle(self, letter: DeadLetter, failures: Mapping[int, str]) -> None:
        self.done.passed += letter.records - len(failures)
        self.done.failed += len(failures)
        if failures:
            self._keep(letter, failures)
            self.done.kept.append(letter)
        else:
            letter.path.unlink(missing_ok=True)
            self.done.resolved.append(letter)
        log.info("dead_letter_replayed", letter=letter.name, still_failing=len(failures))

    def _keep(self, letter: DeadLetter, failures: Mapping[int, str]) -> None:
        mark = {
            "attempts": letter.attempts + 1,
            "last_replayed_at": self.now.isoformat(),
            "last_reasons": sorted(set(failures.values())),
        }
        head = {**read_head(letter.path), "replay": mark}
        write_letter(letter.path, head, _still_failing(letter, failures))


def _still_failing(letter: DeadLetter, failures: Mapping[int, str]) -> Iterator[Record]:
    for position, record in enumerate(letter.read_records()):
        if position in failures:
            yield {**record, REASON: failures[position]}


def _stage_letter(path: Path, letter: DeadLetter, schema: pa.Schema) -> None:
    marked = schema.append(pa.field(LETTER, pa.string())).append(pa.field(POSITION, pa.int64()))
    records = enumerate(letter.read_records())
    with pq.ParquetWriter(path, marked) as writer:
        while part := list(islice(records, ROWS_A_PART)):
            rows = (
                {
                    "batch_id": letter.batch_id,
                    **_checked(letter, record),
                    LETTER: path.stem,
                    POSITION: position,
                }
                for position, record in part
            )
            writer.write_batch(rebuilt(rows, marked))


def _checked(letter: DeadLetter, record: Any) -> Record:
    if not isinstance(record, dict):
        raise UnreadableDeadLetter(path=letter.path, problem="a record is not an object")
    return record


def _row_schema(session: SparkSession, table: str) -> pa.Schema:
    """Of the rows a gate checks: what candles and messages were when they arrived, else those of
    the table itself."""
    if table in MESSAGE_SCHEMAS:
        return MESSAGE_SCHEMAS[table]
    if table.startswith("bronze."):
        return LANDING_SCHEMA
    empty = session.createDataFrame([], table_named(table).ddl)
    return to_arrow_schema(empty.schema, timezone="UTC")


def _failures(rows: DataFrame) -> dict[str, dict[int, str]]:
    """Reasons by letter and position."""
    found: dict[str, dict[int, str]] = defaultdict(dict)
    reason = F.concat_ws(BETWEEN, REASONS)
    failing = rows.where(F.size(REASONS) > 0).select(LETTER, POSITION, reason)
    for letter, position, text in failing.toLocalIterator():
        found[letter][position] = text
    return found
