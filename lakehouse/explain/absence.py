"""Why a row is not there: dead letters that hold it, the gap ledger, what was asked of whom."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from lakehouse.dead_letters import DeadLetter, list_dead_letters
from lakehouse.dead_letters.letter import ARCHIVE, PATTERN, open_letter
from lakehouse.errors import UnreadableDeadLetter
from lakehouse.explain.files import Row
from lakehouse.explain.span import Span
from lakehouse.gaps import expected_count, read_gaps
from lakehouse.settings import Settings


def refusals(settings: Settings, span: Span) -> list[Row]:
    """The records of dead letters that are rows of the span, whether or not others of it arrived:
    letter, table, batch_id, written_at, is_discarded, attempts, reason, record (as it arrived)."""
    return [
        {
            "letter": letter.name,
            "table": letter.table,
            "batch_id": letter.batch_id,
            "written_at": letter.timestamp,
            "is_discarded": letter.path.parents[1].name == ARCHIVE,
            "attempts": letter.attempts,
            "reason": record.get("reason"),
            "record": {name: value for name, value in record.items() if name != "reason"},
        }
        for letter in _letters(settings, span)
        for record in _records(letter)
        if _is_meant(record, span)
    ]


def _letters(settings: Settings, span: Span) -> Iterator[DeadLetter]:
    waiting, _ = list_dead_letters(settings.lake, span.table.full_name)
    for letter in [*_discarded(settings, span), *waiting]:
        of = letter.context.get
        is_of_asset = of("asset_pair") in (None, span.asset)
        if is_of_asset and (span.timeframe is None or of("timeframe") in (None, span.timeframe)):
            yield letter


def _discarded(settings: Settings, span: Span) -> Iterator[DeadLetter]:
    for path in sorted((settings.lake / "dlq" / ARCHIVE / span.table.name).glob(PATTERN)):
        try:
            yield open_letter(path)
        except UnreadableDeadLetter:
            continue


def _records(letter: DeadLetter) -> Iterator[dict[str, Any]]:
    # A letter that somebody broke while mending it is told of by `dlq list`.
    try:
        yield from (record for record in letter.read_records() if isinstance(record, dict))
    except UnreadableDeadLetter:
        return


def _is_meant(record: dict[str, Any], span: Span) -> bool:
    is_of_asset = record.get(span.asset_column) == span.asset
    is_of_length = span.timeframe is None or record.get("timeframe") == span.timeframe
    try:
        time = datetime.fromisoformat(str(record.get(span.time_column)))
    except ValueError:
        return False
    time = time.replace(tzinfo=UTC) if time.tzinfo is None else time
    return is_of_asset and is_of_length and span.first <= time < span.last


def gaps_at(settings: Settings, span: Span) -> list[Row]:
    """What the gap ledger says of the candle: provider, gap_class, gap_start, gap_end, candles,
    detail, recorded_at."""
    if not span.timeframe:
        return []
    return [
        {
            "provider": gap.provider,
            "gap_class": gap.gap_class,
            "gap_start": gap.start,
            "gap_end": gap.end,
            "candles": gap.candles,
            "detail": gap.detail,
            "recorded_at": gap.recorded_at,
        }
        for gap in read_gaps(settings, [span.asset], [span.timeframe])
        if gap.start < span.last and gap.end > span.first
    ]


def is_expected(settings: Settings, span: Span) -> bool:
    """Whether the market was open then."""
    if not span.timeframe:
        return True
    return expected_count(settings, span.asset, span.timeframe, span.first, span.last) > 0
