"""Helper columns: what a suite may name beside the columns that arrive.

They exist only while a gate checks; `expectations/bronze/raw_market_data.yml` lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import groupby

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, FloatType, StructType

from lakehouse.gate.messages import (
    FIELDS,
    field_fault,
    latest_believed,
    message_fault,
    traded_at,
)
from lakehouse.settings import Asset, Settings
from lakehouse.timeframes import TIMEFRAMES

PRICES = ("open", "high", "low", "close")
NUMBER = "_number"
DEFAULT_RANGE = Asset(base="", quote="")
Maker = Callable[[Settings, datetime], Column]


def finite(name: str) -> Column:
    """The column, null where it is NaN or infinite."""
    column = F.col(name)
    return F.when(F.abs(column) < float("inf"), column)


def _bound(settings: Settings, field: str) -> Column:
    """The asset's `min_price` or `max_price`; the default for an asset that has no entry."""
    entries = sorted((getattr(asset, field), name) for name, asset in settings.assets.items())
    cases = [
        (F.col("asset_pair").isin([name for _, name in group]), F.lit(value))
        for value, group in groupby(entries, key=lambda entry: entry[0])
    ]
    return _choice(cases, F.lit(getattr(DEFAULT_RANGE, field)))


def step_seconds() -> Column:
    """Length of the row's candle; null when the timeframe is unknown."""
    cases = [
        (F.col("timeframe") == timeframe, F.lit(int(step.total_seconds())).cast("bigint"))
        for timeframe, step in TIMEFRAMES.items()
    ]
    return _choice(cases, F.lit(None).cast("bigint"))


def _choice(cases: list[tuple[Column, Column]], otherwise: Column) -> Column:
    """The value of the first case that holds."""
    if not cases:
        return otherwise
    (first, value), *others = cases
    chosen = F.when(first, value)
    for case, value in others:
        chosen = chosen.when(case, value)
    return chosen.otherwise(otherwise)


def _closes_at() -> Column:
    return F.col("timestamp").cast("double") + step_seconds()


def _lowest_price() -> Column:
    return F.least(*(finite(price) for price in PRICES))


def _highest_price() -> Column:
    return F.greatest(*(finite(price) for price in PRICES))


def _micros_off_grid() -> Column:
    return F.pmod(F.unix_micros(F.col("timestamp")), step_seconds() * 1_000_000)


def _candles_behind(now: datetime) -> Column:
    return F.floor((F.lit(now.timestamp()) - _closes_at()) / step_seconds())


MAKERS: dict[str, Maker] = {
    "lowest_price": lambda settings, now: _lowest_price(),
    "highest_price": lambda settings, now: _highest_price(),
    "price_ratio": lambda settings, now: _highest_price() / F.nullif(_lowest_price(), F.lit(0.0)),
    "min_price": lambda settings, now: _bound(settings, "min_price"),
    "max_price": lambda settings, now: _bound(settings, "max_price"),
    "micros_off_grid": lambda settings, now: _micros_off_grid(),
    "closes_at": lambda settings, now: _closes_at(),
    "checked_at": lambda settings, now: F.lit(now.timestamp()),
    "candles_behind": lambda settings, now: _candles_behind(now),
}
MESSAGE_MAKERS: dict[str, Maker] = {
    "message_fault": lambda settings, now: message_fault(),
    "symbol_fault": lambda settings, now: field_fault("symbol", F.col("symbol")),
    "timestamp_fault": lambda settings, now: field_fault("timestamp", F.col("timestamp")),
    "price_fault": lambda settings, now: field_fault("price", finite("price")),
    "volume_fault": lambda settings, now: field_fault("volume", finite("volume")),
    "exchange_fault": lambda settings, now: field_fault("exchange", F.col("exchange")),
    "traded_at": lambda settings, now: traded_at(),
    "latest_believed": lambda settings, now: latest_believed(),
}


def nameable(schema: StructType) -> set[str]:
    """Every name a suite may use on such rows: their columns and the helpers these allow."""
    names = set(schema.names)
    numbers = {f.name + NUMBER for f in schema if isinstance(f.dataType, DoubleType | FloatType)}
    candle = {"asset_pair", "timeframe", "timestamp", *PRICES}
    message = {*FIELDS, "raw", "received_at"}
    of_candles = set(MAKERS) if candle <= names else set()
    return names | numbers | of_candles | (set(MESSAGE_MAKERS) if message <= names else set())


def with_helpers(
    frame: DataFrame, names: Iterable[str], settings: Settings, now: datetime
) -> DataFrame:
    """The frame with those of the named columns it does not have yet."""
    present = set(frame.columns)
    wanted = sorted(set(names) - present)
    makers = MAKERS | MESSAGE_MAKERS
    made = {
        name: makers[name](settings, now) if name in makers else finite(name.removesuffix(NUMBER))
        for name in wanted
    }
    return frame.withColumns(made) if made else frame
