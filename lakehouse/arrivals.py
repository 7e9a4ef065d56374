"""Arrivals: what each batch of a landing brought, and from where, as its judged rows tell.

Counts say nearly all of it. Single rows are looked at only where a batch is not simply whole: where
a candle is missing between the first and the last one, is flat, or was refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

import polars as pl
from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.dead_letters.writing import BETWEEN, QUARANTINED
from lakehouse.gaps import Candles, Refused, Series
from lakehouse.gate import Judgement
from lakehouse.gate.marks import REASONS
from lakehouse.timeframes import TIMEFRAMES, step

BATCH = ("batch_id", "asset_pair", "timeframe", "provider")
Batch = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class Share:
    """The rows of a batch that came from one call or file: how many passed the gate, and the first
    and the last candle among them; how many of these are not flat; and how many were refused."""

    batch_id: str
    asset_pair: str
    timeframe: str
    provider: str
    source: str | None
    first: datetime | None
    last: datetime | None
    rows: int
    traded: int
    refused: int


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a batch brought of a series, as the gap ledger wants to know it.

    `untimed` is why rows without a time were refused, empty if there were none.
    """

    batch_id: str
    series: Series
    candles: Candles | None
    refused: tuple[Refused, ...] = ()
    untimed: str = ""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """One share a batch, series and source, and one arrival a batch and series; without rows that
    do not say of which series they are."""

    shares: list[Share]
    arrivals: list[Arrival]


def arrivals_in(judged: Judgement) -> Arrivals:
    """What the batches brought, of quarantined ones nothing but refused rows."""
    shares = _shares(judged)
    by_batch = [(batch, list(of_one)) for batch, of_one in groupby(shares, _batch)]
    partial = {batch for batch, of_one in by_batch if not _is_whole(of_one)}
    looked_at = _looked_at(judged, partial) if partial else {}
    arrivals = [looked_at.get(batch) or _whole(of_one) for batch, of_one in by_batch]
    return Arrivals(shares, arrivals)


def _shares(judged: Judgement) -> list[Share]:
    is_good = _is_good(judged)
    opened_at = F.when(is_good, F.col("timestamp"))
    found = judged.rows.groupBy(*BATCH, "source").agg(
        F.min(opened_at).alias("first"),
        F.max(opened_at).alias("last"),
        _count(is_good).alias("rows"),
        _count(is_good & ~_is_flat()).alias("traded"),
        _count(~is_good).alias("refused"),
    )
    shares = [Share(**row) for row in found.toArrow().to_pylist()]
    named = [share for share in shares if share.asset_pair and share.provider]
    return sorted(
        (share for share in named if share.timeframe in TIMEFRAMES),
        key=lambda share: (*_batch(share), share.source or ""),
    )


def _batch(share: Share) -> Batch:
    return share.batch_id, share.asset_pair, share.timeframe, share.provider


def _is_good(judged: Judgement) -> Column:
    is_published = ~F.col("batch_id").isin(sorted(judged.quarantined))
    return (F.size(REASONS) == F.lit(0)) & is_published


def _is_flat() -> Column:
    """Whether the row has one price and no volume, a source's word for no trade."""
    is_one_price = (F.col("high") == F.col("low")) & (F.col("open") == F.col("close"))
    is_still = is_one_price & (F.col("open") == F.col("high"))
    return F.coalesce(is_still & (F.col("volume") == F.lit(0.0)), F.lit(False))


def _count(condition: Column) -> Column:
    return F.sum(condition.cast("bigint"))


def _is_whole(shares: list[Share]) -> bool:
    """Whether every candle of the UTC grid is there and traded, from the first to the last one.

    The gate saw to it that there are no two for one time.
    """
    rows = sum(share.rows for share in shares)
    if any(share.refused or share.traded < share.rows for share in shares) or not rows:
        return False
    candles = _candles(shares)
    return rows == (candles.last - candles.first) // step(shares[0].timeframe) + 1


def _candles(shares: list[Share]) -> Candles:
    first = min(share.first for share in shares if share.first)
    last = max(share.last for share in shares if share.last)
    return Candles(_series(_batch(shares[0])), first, last)


def _series(batch: Batch) -> Series:
    return batch[1], batch[2], batch[3]


def _whole(shares: list[Share]) -> Arrival:
    candles = _candles(shares)
    return Arrival(shares[0].batch_id, candles.series, candles)


def _looked_at(judged: Judgement, batches: set[Batch]) -> dict[Batch, Arrival]:
    is_good = _is_good(judged)
    reasons = F.when(F.size(REASONS) > 0, F.concat_ws(BETWEEN, REASONS)).otherwise(QUARANTINED)
    rows = judged.rows.where(F.col("batch_id").isin(sorted({batch[0] for batch in batches})))
    found = rows.select(
        *BATCH,
        F.unix_micros("timestamp").alias("opened_at"),
        F.when(~is_good, reasons).alias("reasons"),
        _is_flat().alias("is_flat"),
    )
    frame = pl.DataFrame(found.toArrow())
    groups = frame.partition_by(BATCH, as_dict=True).items()
    return {batch: _arrival(batch, rows) for batch, rows in groups if batch in batches}


def _arrival(batch: Batch, rows: pl.DataFrame) -> Arrival:
    timed = rows.drop_nulls("opened_at")
    untimed = rows.filter(pl.col("opened_at").is_null())["reasons"].unique().sort()
    refused = timed.drop_nulls("reasons").partition_by("reasons", as_dict=True)
    series = _series(batch)
    return Arrival(
        batch[0],
        series,
        _seen(series, timed.filter(pl.col("reasons").is_null())),
        tuple(
            Refused(series, of_one["opened_at"].to_numpy(), reason)
            for (reason,), of_one in sorted(refused.items())
        ),
        BETWEEN.join(untimed),
    )


def _seen(series: Series, good: pl.DataFrame) -> Candles | None:
    if good.is_empty():
        return None
    first, last = good.select(
        pl.from_epoch(end, "us").dt.replace_time_zone("UTC").alias(name)
        for name, end in (("first", pl.min("opened_at")), ("last", pl.max("opened_at")))
    ).row(0)
    traded, flat = (good.filter(is_so)["opened_at"] for is_so in (~pl.col("is_flat"), "is_flat"))
    return Candles(series, first, last, traded.to_numpy(), flat.to_numpy())
