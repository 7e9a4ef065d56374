"""Which rows are meant: an asset and a stretch of time, in each table by its own kind of key.

The one place that knows how a row of one table is found again in another: a candle by its opening
time where a table has candles, by the moment it closes where a table has moments, by its day or
month where it has those.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lakehouse.errors import InvalidRow
from lakehouse.lineage import above
from lakehouse.settings import Settings
from lakehouse.tables import Table, bronze_table, table_named
from lakehouse.timeframes import TIMEFRAMES, ceil, floor, step

ASSET_COLUMNS = ("asset_pair", "symbol")
TIME_COLUMNS = ("month", "date", "window_start", "timestamp")
SHARED_COLUMNS = ("month", "date")
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
# A reading of several timeframes heeds a candle until two further ones should have closed.
HEEDED_STEPS = 3


@dataclass(frozen=True, slots=True)
class Span:
    """The rows of a table that are of an asset, of a timeframe where the table has several, and of
    first <= time < last; the time is that of `time_column`."""

    table: Table
    asset: str
    timeframe: str | None
    first: datetime
    last: datetime

    @property
    def asset_column(self) -> str:
        return _first(self.table, ASSET_COLUMNS)

    @property
    def time_column(self) -> str:
        return _first(self.table, TIME_COLUMNS)

    @property
    def is_a_candle(self) -> bool:
        """Whether it is one candle of bronze or of a table with a row for each candle."""
        is_by_opening = self.time_column == "timestamp" and "timeframe" in _names(self.table)
        return self.timeframe is not None and is_by_opening

    @property
    def is_shared(self) -> bool:
        """Whether its rows are made of many candles, and are there without some of them."""
        return self.time_column in SHARED_COLUMNS


def span_of(
    settings: Settings, name: str, asset: str, moment: datetime, timeframe: str | None
) -> Span:
    """The row that a person names. Of a time between two candles the one that was open is meant.

    Raises UnknownTable, UnknownAsset, UnknownTimeframe, InvalidRow.
    """
    table = table_named(name)
    if table.layer == "ops":
        raise InvalidRow(problem=f"{name} is a record of the lakehouse, not data")
    if table.is_streamed:
        _demand_none(table, timeframe)
        return Span(table, asset, None, *_bounds(table, None, moment))
    settings.asset(asset)
    chosen = _timeframe(table, timeframe)
    return Span(table, asset, chosen, *_bounds(table, chosen, moment))


def _timeframe(table: Table, given: str | None) -> str | None:
    if given is not None:
        step(given)
    if "timeframe" not in _names(table):
        _demand_none(table, given)
        return None
    if table.timeframe and given not in (None, table.timeframe):
        raise InvalidRow(problem=f"{table.full_name} holds no candles of {given}")
    if not (given or table.timeframe):
        known = ", ".join(TIMEFRAMES)
        problem = f"{table.full_name} has a row for each timeframe; choose one by --timeframe"
        raise InvalidRow(problem=f"{problem}: {known}")
    return given or table.timeframe


def _demand_none(table: Table, timeframe: str | None) -> None:
    if timeframe:
        raise InvalidRow(problem=f"{table.full_name} has no timeframes; leave --timeframe out")


def origins(span: Span) -> list[Span]:
    """The rows of bronze that the row is made of; of a moment, where they would be if none is
    late."""
    if span.table.layer == "bronze":
        return [span]
    bronze = [name for name in above(span.table.full_name) if name.startswith("bronze.")]
    candidates = [table_named(name) for name in bronze]
    if span.timeframe:
        candidates = [bronze_table(span.timeframe)]
    return [_origin(span, table) for table in candidates]


def _origin(span: Span, table: Table) -> Span:
    first, last = span.first, span.last
    if is_of_moments(span.table) and table.timeframe:
        length = step(table.timeframe)
        first, last = ceil(span.first - HEEDED_STEPS * length, length), floor(span.first, length)
    return Span(table, span.asset, table.timeframe, first, last)


def made_into(candle: Span, table: Table) -> Span:
    """The row of the table that has the candle in it."""
    moment = candle.first
    if is_of_moments(table) and candle.timeframe:
        moment += step(candle.timeframe)
    timeframe = candle.timeframe if "timeframe" in _names(table) else None
    return Span(table, candle.asset, timeframe, *_bounds(table, timeframe, moment))


def is_of_moments(table: Table) -> bool:
    """Whether its rows say what was known when a candle closed."""
    has_opening = table.is_streamed or "timeframe" in _names(table)
    return not has_opening and _first(table, TIME_COLUMNS) == "timestamp"


def _bounds(table: Table, timeframe: str | None, moment: datetime) -> tuple[datetime, datetime]:
    match _first(table, TIME_COLUMNS):
        case "month":
            first = datetime(moment.year, moment.month, 1, tzinfo=UTC)
            return first, (first + 31 * DAY).replace(day=1)
        case "date":
            first = floor(moment, DAY)
            return first, first + DAY
        case "timestamp" if timeframe:
            first = floor(moment, step(timeframe))
            return first, first + step(timeframe)
    first = floor(moment, MINUTE)
    return first, first + MINUTE


def _first(table: Table, names: tuple[str, ...]) -> str:
    return next(name for name in names if name in _names(table))


def _names(table: Table) -> list[str]:
    return [column.name for column in table.columns]
