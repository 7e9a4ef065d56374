"""The ledger's upkeep: facts go in, and ops.gaps and ops.coverage say what they mean.

A landing costs one commit to each of the two, and reads what its own time touches. The gaps are
written first: a crash between the two leaves a horizon that ends too early, and landing the same
windows again mends it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from lakehouse import ops
from lakehouse.conflicts import again_on_conflict
from lakehouse.gaps.axis import EARLIEST, LATEST, SHIFT, Axis, Reach
from lakehouse.gaps.calendars import Ints, micros
from lakehouse.gaps.facts import Facts
from lakehouse.gaps.news import news_of, reach_of
from lakehouse.gaps.painting import CLASSES, EMPTY, GONE, STATES, Ends, Runs, repainted
from lakehouse.gaps.reading import GAPS
from lakehouse.gaps.tables import GAP_COLUMNS, KNOWN_COLUMNS, ORDINAL, Tables
from lakehouse.settings import Settings
from lakehouse.tables import table_named

if TYPE_CHECKING:
    from lakehouse.outcomes import Recorder

ATTEMPTS = 10
MICROS_AN_HOUR = 3_600_000_000
SAID = (ORDINAL, *(column for column in GAP_COLUMNS if column != "recorded_at"))


def take_in(settings: Settings, recorder: Recorder, facts: Facts) -> int:
    """Bring the ledger up to date with the facts, as a step `gaps`; how many gaps changed.

    The same facts again change nothing. Raises InvalidSetting where an asset's calendar is unknown,
    and CommitFailedError if other writers were faster again and again.
    """
    facts = facts.learnt
    if not facts.series:
        return 0
    with recorder.step("gaps", GAPS) as outcome:
        outcome.rows_in = len(facts.windows) + len(facts.candles)
        changed = _take_in(settings, facts, Axis(settings, facts.series))
        outcome.wrote(table_named(GAPS).path(settings.lake), changed)
    return changed


@again_on_conflict(ATTEMPTS, first_wait=0.05)
def _take_in(settings: Settings, facts: Facts, axis: Axis) -> int:
    tables = Tables.opened(settings)
    reach = reach_of(facts, axis)
    known = tables.known(axis)
    extended = known.extended(reach)
    old, new = _ends(known, axis), _ends(extended, axis)
    before = tables.gaps_between(axis, *_touched(reach, axis, old))
    details = ["", *before["detail"]]
    news = news_of(facts, axis, details)
    runs = repainted(_runs(before, axis), news, old, new, _shortest(settings, axis), SHIFT)
    after = _rows(runs, axis, details)
    changed = after.join(before, on=SAID, how="anti", nulls_equal=True)
    gone = before.join(after, on=(ORDINAL, "gap_start"), how="anti")
    moved = _moved(known, extended)
    if changed.height + gone.height + moved.height:
        now = pl.lit(micros(ops.now()))
        changed, moved = (changed.with_columns(recorded_at=now), moved.with_columns(updated_at=now))
        tables.write(axis, changed, gone, moved)
    return changed.height + gone.height


def _runs(rows: pl.DataFrame, axis: Axis) -> Runs:
    """Rows of ops.gaps, the oldest first; the place of each is the number of its detail."""
    ordinals = rows[ORDINAL].to_numpy()
    states = rows["gap_class"].replace_strict(STATES, return_dtype=pl.Int64).to_numpy()
    has_detail = (rows["detail"] != "").to_numpy()
    # What is delisted by no word of the source follows from what is empty.
    states = np.where((states == GONE) & ~has_detail, EMPTY, states)
    return Runs(
        axis.numbers(ordinals, rows["gap_start"].to_numpy()),
        axis.numbers(ordinals, rows["gap_end"].to_numpy()),
        states,
        np.where(has_detail, np.arange(1, rows.height + 1), 0),
    )


def _rows(runs: Runs, axis: Axis, details: list[str]) -> pl.DataFrame:
    """The runs as rows of ops.gaps, without when they were recorded."""
    ordinals = runs.start >> SHIFT
    return pl.DataFrame(
        {
            ORDINAL: ordinals,
            "gap_start": axis.times(runs.start),
            "gap_end": axis.times(runs.end - 1) + axis.steps[ordinals],
            "gap_class": pl.Series(runs.state).replace_strict(CLASSES, return_dtype=pl.String),
            "candles": runs.end - runs.start,
            "detail": pl.Series(details, dtype=pl.String)[runs.detail.tolist()],
        }
    )


def _moved(known: Reach, extended: Reach) -> pl.DataFrame:
    """The series of which more is known now: ordinal and KNOWN_COLUMNS."""
    is_moved = np.any([a != b for a, b in zip(known, extended, strict=True)], axis=0)
    columns = pl.DataFrame(dict(zip(KNOWN_COLUMNS, extended, strict=True)))
    ordinals = pl.Series(ORDINAL, np.arange(len(is_moved)))
    there = pl.col(KNOWN_COLUMNS).replace({LATEST: None, EARLIEST: None})
    return columns.with_columns(there, ordinals).filter(is_moved)


def _ends(known: Reach, axis: Axis) -> Ends:
    """What is known as numbers of candles; nothing is known of [start of the axis, the same)."""
    ordinals = np.arange(len(axis.series))
    is_known, has_candles = known.start != LATEST, known.first != LATEST

    def numbers(times: Ints, are_there: Ints, otherwise: Ints) -> Ints:
        found = axis.numbers(ordinals, np.where(are_there, times, 0))
        return np.where(are_there, found, otherwise)

    return Ends(
        known_start=numbers(known.start, is_known, axis.starts),
        known_end=numbers(known.end, is_known, axis.starts),
        first=numbers(known.first, has_candles, axis.ends),
        # The last expected candle that opens no later.
        last=numbers(np.where(has_candles, known.last, 0) + 1, has_candles, axis.starts) - 1,
    )


def _touched(reach: Reach, axis: Axis, old: Ends) -> tuple[Ints, Ints]:
    """By series, the numbers between which gaps may change, both inclusive: what the facts are
    about and what adjoins it, and what is beyond the candles if they are about that, for there it
    depends on its length whether a gap is delisted."""
    ordinals = np.arange(len(axis.series))
    start, end = (axis.numbers(ordinals, times) for times in (reach.start, reach.end))
    is_known = old.known_end > old.known_start
    has_candles = old.first <= old.last
    start = np.where(is_known, np.minimum(start, old.known_end), start)
    end = np.where(is_known, np.maximum(end, old.known_start), end)
    beyond_start = np.where(has_candles & (end > old.last), old.last, start)
    beyond_end = np.where(has_candles & (start < old.first), old.first, end)
    is_bare = is_known & ~has_candles
    return (
        np.minimum(start, np.where(is_bare, old.known_start, beyond_start)),
        np.maximum(end, np.where(is_bare, old.known_end, beyond_end)),
    )


def _shortest(settings: Settings, axis: Axis) -> Ints:
    """By series, how many candles without trade beyond its candles make it delisted."""
    length = settings.gaps.delisted_after_hours * MICROS_AN_HOUR
    return np.maximum(1, np.ceil(length / axis.steps)).astype(np.int64)
