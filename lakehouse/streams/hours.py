"""Writing silver.trade_aggregates: the hours whose candles changed, each anew, in one commit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import polars as pl
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

from lakehouse import ops
from lakehouse.settings import Settings
from lakehouse.streams.candles import KEY, VALUES, joined, with_figures, with_flat_candles
from lakehouse.streams.known import files_of
from lakehouse.streams.stream import TRADES

HOUR = ["trade_date", "trade_hour"]
TIMES = ["created_at", "updated_at"]
# A longer silence is no quiet market but a closed one, or a feed that was down.
LONGEST_SILENCE = timedelta(days=1)


def put(
    settings: Settings,
    silver: DeltaTable,
    new: pl.DataFrame,
    versions: Mapping[str, int],
    *,
    is_whole: bool = False,
) -> int:
    """Have the new candles (KEY and VALUES) in the table; how many of its candles changed.

    They join those that are there, or take their place if they are `is_whole`. `versions` are
    written with them, as application transactions.
    """
    is_filling = settings.streams.impute_quiet_minutes
    old = present(silver, _hours_around(new) if is_filling else _hours_of(new))
    touched = old.join(new, on=KEY, how="semi")
    others = old.join(new, on=KEY, how="anti").select(KEY + VALUES)
    fresh = new.select(KEY + VALUES) if is_whole else joined(touched, new)
    rows = pl.concat([others, fresh])
    changed = _dated(_filled(rows, new) if is_filling else rows, old)
    hours = changed.filter("is_changed").select(HOUR).unique()
    if hours.is_empty():
        note(silver, versions)
        return 0
    written = changed.join(hours, on=HOUR, how="semi")
    _commit(silver, written, hours, versions)
    return int(written["is_changed"].sum())


def _place() -> list[pl.Expr]:
    start = pl.col("window_start")
    return [
        start.dt.date().alias("trade_date"),
        start.dt.hour().cast(pl.Int32).alias("trade_hour"),
    ]


def _hours_of(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(_place()).unique()


def _hours_around(rows: pl.DataFrame) -> pl.DataFrame:
    """Those, and so many before and after that a silence can begin or end there."""
    most = LONGEST_SILENCE // timedelta(hours=1)
    shifted = [
        rows.select((pl.col("window_start") + timedelta(hours=hours)).alias("window_start"))
        for hours in range(-most, most + 1)
    ]
    return _hours_of(pl.concat(shifted).unique())


def present(silver: DeltaTable, hours: pl.DataFrame) -> pl.DataFrame:
    """The rows of those hours, without the columns that say which hour."""
    schema = pa.schema(silver.schema().to_arrow())
    empty = pl.DataFrame(pl.from_arrow(schema.empty_table())).drop(HOUR)
    files = _files(silver).join(hours, on=HOUR, how="semi")["path"]
    frames = [pl.read_parquet(f, columns=empty.columns, hive_partitioning=False) for f in files]
    return pl.concat([empty, *frames], how="vertical_relaxed")


def last_hours(silver: DeltaTable, count: int) -> list[str]:
    """The files of so many hours, the last that the table has."""
    files = _files(silver)
    hours = files.select(HOUR).unique().sort(HOUR, descending=True).head(count)
    return files.join(hours, on=HOUR, how="semi")["path"].to_list()


def _files(silver: DeltaTable) -> pl.DataFrame:
    """The table's files: path and HOUR."""
    files = files_of(silver)
    if files.is_empty():
        kinds = {"path": pl.String, "trade_date": pl.Date, "trade_hour": pl.Int32}
        return pl.DataFrame(schema=kinds)
    return files.select(
        "path",
        pl.col("partition.trade_date").cast(pl.Date).alias("trade_date"),
        pl.col("partition.trade_hour").cast(pl.Int32).alias("trade_hour"),
    )


def _filled(rows: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """The rows with flat candles in the silences that the new candles border on."""
    real = rows.filter(~pl.col("is_imputed"))
    span = new.group_by("symbol").agg(
        pl.col("window_start").min().alias("first"), pl.col("window_start").max().alias("last")
    )
    beside = real.join(span, on="symbol", how="inner")
    start = pl.col("window_start")
    before = start.filter(start < pl.col("first")).max()
    after = start.filter(start > pl.col("last")).min()
    bounds = beside.group_by("symbol").agg(
        pl.coalesce(before, pl.col("first").first()).alias("first"),
        pl.coalesce(after, pl.col("last").first()).alias("last"),
    )
    is_within = start.is_between(pl.col("first"), pl.col("last"))
    marked = rows.join(bounds, on="symbol", how="left").with_columns(
        is_within.fill_null(False).alias("is_within")
    )
    inside = marked.filter("is_within").select(KEY + VALUES)
    outside = marked.filter(~pl.col("is_within")).select(KEY + VALUES)
    return pl.concat([outside, with_flat_candles(inside, LONGEST_SILENCE)])


def _dated(rows: pl.DataFrame, old: pl.DataFrame) -> pl.DataFrame:
    """The rows as the table has them, and `is_changed`; what did not change keeps its times."""
    now = pl.lit(ops.now()).cast(pl.Datetime("us", "UTC"))
    before = old.select(*KEY, *(pl.col(n).alias(f"{n}_old") for n in VALUES), *TIMES)
    both = rows.join(before, on=KEY, how="left")
    is_same = pl.all_horizontal(pl.col(n).eq_missing(pl.col(f"{n}_old")) for n in VALUES)
    dated = both.with_columns((~is_same).alias("is_changed")).with_columns(
        pl.col("created_at").fill_null(now),
        pl.when("is_changed").then(now).otherwise("updated_at").alias("updated_at"),
    )
    names = [column.name for column in TRADES.silver.columns]
    return with_figures(dated).with_columns(_place()).select(*names, "is_changed")


def note(silver: DeltaTable, versions: Mapping[str, int]) -> None:
    """Write application transactions alone: what they stand for changed no candle."""
    silver.create_write_transaction(
        [], "append", silver.schema(), HOUR, commit_properties=_with_transactions(versions)
    )


def _with_transactions(versions: Mapping[str, int]) -> CommitProperties:
    transactions = [Transaction(name, version) for name, version in versions.items()]
    return CommitProperties(app_transactions=transactions)


def _commit(
    silver: DeltaTable, rows: pl.DataFrame, hours: pl.DataFrame, versions: Mapping[str, int]
) -> None:
    which = " OR ".join(
        f"(trade_date = '{row['trade_date']}' AND trade_hour = {row['trade_hour']})"
        for row in hours.to_dicts()
    )
    schema = pa.schema(silver.schema().to_arrow())
    write_deltalake(
        silver,
        rows.drop("is_changed").sort(HOUR + KEY).to_arrow().cast(schema),
        mode="overwrite",
        predicate=which,
        commit_properties=_with_transactions(versions),
    )
