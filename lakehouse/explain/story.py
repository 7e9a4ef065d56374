"""The story of a row: where it came from, what it passed, how it changed, what depends on it.

What never arrived has a story, too. It is told from the lake's own tables and their logs; no engine
is needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from lakehouse.errors import InvalidRow
from lakehouse.explain.absence import gaps_at, refusals
from lakehouse.explain.files import Row, rows_now
from lakehouse.explain.gates import gates_of
from lakehouse.explain.origins import Origin, origin_of
from lakehouse.explain.span import Span, made_into, origins, span_of
from lakehouse.explain.verdict import Facts, verdict
from lakehouse.explain.versions import History, history
from lakehouse.lineage import below, made_of
from lakehouse.releases import Release, kept_releases
from lakehouse.settings import Settings
from lakehouse.tables import Table, table_named

KNOWN_UNTIL = "known_until"


@dataclass(slots=True)
class Story:
    """What is known of a row.

    `verdict` says it in a sentence. `rows` are the row as its table has it now (several where its
    key is wider than asset, timeframe and time). For `gates`, `refusals` and `gaps` see
    gates.gates_of and absence. `histories` are those of the row in its own table and in others on
    its way, `dependents` where it is to be found in the tables that are made of it; `superseded`
    are values that silver once held, with known_from and known_until; `releases` the kept ones.
    """

    span: Span
    verdict: str
    rows: list[Row]
    origin: Origin
    gates: list[Row]
    histories: list[History]
    dependents: list[Span]
    superseded: list[Row]
    releases: list[Release]
    refusals: list[Row]
    gaps: list[Row]


def explain(
    settings: Settings, table: str, asset: str, moment: datetime, timeframe: str | None = None
) -> Story:
    """The story of that row; one that never arrived has one, too.

    Raises UnknownTable, UnknownAsset, UnknownTimeframe, InvalidRow.
    """
    span = span_of(settings, table, asset, moment, timeframe)
    if span.table.is_streamed:
        _demand_symbol(settings, span)
    origin, rows = origin_of(settings, span), rows_now(settings, span)
    way = list(_on_the_way(span))
    superseded = [each for each in way if _is_of_superseded(each.table)]
    own = [each for each in way if each not in superseded and (origin.rows or not each.is_shared)]
    refused = [record for each in way for record in refusals(settings, each)]
    gaps = [gap for each in origins(span) if span.is_a_candle for gap in gaps_at(settings, each)]
    histories = [history(settings, each) for each in own]
    origin.mark_taken(histories)
    batches = {*origin.batches, *(row["batch_id"] for row in refused if row["batch_id"])}
    return Story(
        span=span,
        verdict=verdict(Facts(settings, span, origin, rows, refused, gaps, histories)),
        rows=rows,
        origin=origin,
        gates=gates_of(settings, sorted(batches), histories),
        histories=histories,
        dependents=[each for each in way if each not in superseded and _is_below(each, span)],
        superseded=[row for each in superseded for row in rows_now(settings, each)],
        releases=kept_releases(settings),
        refusals=refused,
        gaps=gaps,
    )


def _on_the_way(span: Span) -> Iterator[Span]:
    """The row, and the rows of other tables that it is in. A candle of silver is followed from
    bronze on; a day or a month is the end of the way."""
    if span.is_a_candle and span.table.layer != "bronze":
        yield from origins(span)
    yield span
    if span.is_a_candle or span.table.is_streamed:
        yield from (made_into(span, table_named(name)) for name in below(span.table.full_name))


def _is_below(other: Span, span: Span) -> bool:
    return other.table.full_name in below(span.table.full_name)


def _is_of_superseded(table: Table) -> bool:
    return any(column.name == KNOWN_UNTIL for column in table.columns)


def _demand_symbol(settings: Settings, span: Span) -> None:
    """Raises InvalidRow for a symbol that neither the settings nor the stream's batches know."""
    feed = settings.streams.trade_feed.symbols
    known = {*feed} if _reads_trades(span.table) else {*settings.assets}
    if span.asset not in known and not any(rows_now(settings, each) for each in origins(span)):
        problem = f"{span.table.full_name} has no {span.asset} then, and the settings name only"
        raise InvalidRow(problem=f"{problem} {', '.join(sorted(known))}")


def _reads_trades(table: Table) -> bool:
    bronze = made_of(table.full_name) or (table.full_name,)
    return bronze[0] == "bronze.raw_trades"
