"""Ten questions that people ask of silver and gold, and which files each of them needs.

`{asset}`, `{day}` and `{next}` are an asset and a day near the end of the data. `tables` says by
table what the question wants of it: by column, the first and the last value, both inclusive. A file
whose statistics lie outside of these need not be read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

SILVER, INDICATORS = "silver.market_data_enriched", "gold.mart_technical_indicators"
DAILY, REGIMES = "gold.mart_daily_metrics", "gold.mart_market_regime_stats"
TOGETHER = "silver.multi_timeframe_analysis"
ALWAYS = datetime(9999, 1, 1)  # noqa: DTZ001 - as the statistics have it, without a zone
Wanted = dict[str, tuple[Any, Any]]

IN_DAY = "timestamp >= timestamp'{day}' and timestamp < timestamp'{next}'"
NOT_PRUNABLE = "concat(asset_pair, '') = '{asset}' and concat(timeframe, '') = '1m'"
DAYS_OHLC = (
    "select min_by(open, timestamp), max(high), min(low), max_by(close, timestamp), count(*) "
    f"from {SILVER} where "
)
UNPRUNED = (
    f"{DAYS_OHLC} {NOT_PRUNABLE} and date_format(timestamp, 'yyyy-MM-dd') = date_format("
    "timestamp'{day}', 'yyyy-MM-dd')"
)
"""The day's OHLC, asked in a way that statistics and partitions say nothing about."""


@dataclass(frozen=True, slots=True)
class Question:
    name: str
    sql: str
    tables: dict[str, Wanted]
    release: str | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """What the questions are about. `day` is the last but one of the data."""

    asset: str
    last_day: date

    @property
    def day(self) -> date:
        return self.last_day - timedelta(days=1)

    def named(self, sql: str) -> str:
        places = {"asset": self.asset, "day": self.day, "next": self.last_day}
        return sql.format(**places, month=self.day.replace(day=1))


def questions(moment: Moment) -> list[Question]:
    asked = [*_of_an_asset(moment), *_of_all(moment)]
    return [Question(q.name, moment.named(q.sql), q.tables, q.release) for q in asked]


def _of_an_asset(moment: Moment) -> list[Question]:
    asset = (moment.asset, moment.asset)
    minutes: Wanted = {"asset_pair": asset, "timeframe": ("1m", "1m")}
    first, last = _hours_of(moment.day)
    a_week = {**minutes, "timeframe": ("1h", "1h"), "timestamp": (first - timedelta(days=6), last)}
    days_ohlc = f"{DAYS_OHLC} asset_pair = '{{asset}}' and timeframe = '1m' and {IN_DAY}"
    its_minutes = {SILVER: {**minutes, "timestamp": (first, last)}}
    return [
        Question(
            "last value",
            f"select timestamp, close, rsi_14, trend from {INDICATORS} where timeframe = '1m' and "
            "asset_pair = '{asset}' and timestamp >= timestamp'{day}' order by 1 desc limit 1",
            {INDICATORS: {**minutes, "timestamp": (first, ALWAYS)}},
        ),
        Question(
            "a week of an asset's hours",
            f"select * from {INDICATORS} where asset_pair = '{{asset}}' and timeframe = '1h' and "
            "timestamp >= timestamp'{day}' - interval 6 days and timestamp < timestamp'{next}' "
            "order by timestamp",
            {INDICATORS: a_week},
        ),
        Question("a day's OHLC of an asset, from minutes", days_ohlc, its_minutes),
        Question("that OHLC as the newest release has it", days_ohlc, its_minutes, "latest"),
        Question(
            "two marts joined",
            f"select d.date, d.close, r.candle_count from {DAILY} d join {REGIMES} r on "
            "r.asset_pair = d.asset_pair and r.month = cast(date_trunc('month', d.date) as date) "
            "where d.asset_pair = '{asset}' and r.timeframe = '1h' and r.market_regime = 'trend' "
            "order by d.date",
            {DAILY: {"asset_pair": asset}, REGIMES: {"asset_pair": asset}},
        ),
    ]


def _of_all(moment: Moment) -> list[Question]:
    month = moment.day.replace(day=1)
    return [
        Question(
            "volume and range by month",
            "select asset_pair, cast(date_trunc('month', date) as date) as month, sum(volume) "
            f"from {DAILY} group by 1, 2 order by 1, 2",
            {DAILY: {}},
        ),
        Question(
            "where all timeframes agree, in a day",
            f"select asset_pair, timestamp, confluence from {TOGETHER} "
            f"where confluence >= 5 and {IN_DAY} order by 1, 2",
            {TOGETHER: {"timestamp": _hours_of(moment.day)}},
        ),
        Question(
            "the day's top movers, by range",
            f"select asset_pair, daily_range from {DAILY} where date = date'{{day}}' "
            "order by daily_range desc limit 5",
            {DAILY: {"date": (moment.day, moment.day)}},
        ),
        Question(
            "regimes of a month",
            "select asset_pair, timeframe, market_regime, share_of_month "
            f"from {REGIMES} where month = date'{{month}}' order by 1, 2, 3",
            {REGIMES: {"month": (month, month)}},
        ),
        Question("how many candles", f"select count(*) from {SILVER}", {SILVER: {}}),
    ]


def _hours_of(day: date) -> tuple[datetime, datetime]:
    return datetime.combine(day, datetime.min.time()), datetime.combine(day, datetime.max.time())


def to_read(
    lake: Path, wanted: dict[str, Wanted], versions: dict[str, int]
) -> tuple[int, int, int]:
    """Files that the Delta log leaves, of how many, and the bytes of those left."""
    left = every = size = 0
    for table, ranges in wanted.items():
        path = str(lake / table.replace(".", "/"))
        known = DeltaTable(path, version=versions.get(table))
        files = pa.table(known.get_add_actions(flatten=True))
        is_left = pa.chunked_array([pa.array([True] * files.num_rows)])
        for column, (first, last) in ranges.items():
            is_left = pc.and_(is_left, overlaps(files, column, first, last))
        left, every = left + files.filter(is_left).num_rows, every + files.num_rows
        size += pc.sum(files.filter(is_left)["size_bytes"]).as_py() or 0
    return left, every, size


def overlaps(files: pa.Table, column: str, first: Any, last: Any) -> pa.ChunkedArray:
    """Whether a file may have values between these; one without statistics may."""
    names = set(files.column_names)
    if f"partition.{column}" in names:
        low = high = files[f"partition.{column}"]
    elif f"min.{column}" in names:
        low, high = files[f"min.{column}"], files[f"max.{column}"]
    else:
        return pa.chunked_array([pa.array([True] * files.num_rows)])
    kind = pa.timestamp("us") if pa.types.is_timestamp(low.type) else low.type
    within = pc.and_(
        pc.less_equal(low.cast(kind), pa.scalar(last, kind)),
        pc.greater_equal(high.cast(kind), pa.scalar(first, kind)),
    )
    return pc.fill_null(within, True)
