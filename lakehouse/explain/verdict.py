"""The verdict: in a sentence, whether a row is there, and if not, why."""

from __future__ import annotations

from dataclasses import dataclass

from lakehouse import ops
from lakehouse.explain.absence import is_expected
from lakehouse.explain.files import Row
from lakehouse.explain.origins import Origin
from lakehouse.explain.span import Span, origins
from lakehouse.explain.versions import History
from lakehouse.settings import Settings

FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a verdict rests on; see story.Story."""

    settings: Settings
    span: Span
    origin: Origin
    rows: list[Row]
    refusals: list[Row]
    gaps: list[Row]
    histories: list[History]


def verdict(facts: Facts) -> str:
    """Whether the row is there, and if it is not, the nearest reason for that."""
    if facts.rows:
        return _present(facts)
    name = facts.span.table.full_name
    if refused := [row for row in facts.refusals if row["table"] == name]:
        return f"It is not in {name}: the gate refused it ({refused[-1]['reason']})."
    if facts.origin.rows:
        return _not_built(facts)
    return f"It never arrived: {_why_absent(facts)}"


def _present(facts: Facts) -> str:
    count, name = len(facts.rows), facts.span.table.full_name
    what = "It is" if count == 1 else f"{count} rows of it are"
    versions = next(h.versions for h in facts.histories if h.span == facts.span)
    changes = len(versions) - 1
    times = "once" if changes == 1 else f"{changes} times"
    how = f"changed {times} since it was written" if changes > 0 else "as it was written"
    return f"{what} in {name}, {how}."


def _not_built(facts: Facts) -> str:
    name = facts.span.table.full_name
    if any(history.span == facts.span and history.versions for history in facts.histories):
        return f"It was in {name}, and is no more; bronze has what it is made of."
    return f"Bronze has it, {name} has not: `lakehouse build` brings it up."


def _why_absent(facts: Facts) -> str:
    if facts.refusals:
        last = facts.refusals[-1]
        return f"the gate of {last['table']} refused it ({last['reason']})."
    if all(each.first > ops.now() for each in origins(facts.span)):
        return "its time has not come yet."
    if not all(is_expected(facts.settings, each) for each in origins(facts.span)):
        return "the market was closed, so no candle is expected then."
    if facts.gaps:
        gap = facts.gaps[-1]
        detail = f" ({gap['detail']})" if gap["detail"] else ""
        return f"a gap of class {gap['gap_class']}{detail}."
    return _as_asked(facts)


def _as_asked(facts: Facts) -> str:
    attempts = facts.origin.attempts
    if not attempts:
        is_stream = facts.span.table.is_streamed
        return "no message of it was ever landed." if is_stream else "nobody has asked for it."
    last = attempts[-1]
    if last["status"] == FAILED:
        return f"{last['provider']} was asked and failed: {last['error']}"
    return f"{last['served_by']} was asked and sent nothing for it."
