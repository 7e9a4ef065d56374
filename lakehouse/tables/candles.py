"""Bronze tables of candles, one for each timeframe."""

from __future__ import annotations

from lakehouse.tables.table import Column, Table

CANDLE = (
    Column("asset_pair", "string", "Base and quote with nothing between, e.g. BTCUSD"),
    Column("timestamp", "timestamp", "Opening time of the candle, UTC"),
    Column("open", "double", "First price, in the quote currency"),
    Column("high", "double", "Highest price, in the quote currency"),
    Column("low", "double", "Lowest price, in the quote currency"),
    Column("close", "double", "Last price, in the quote currency"),
    Column("volume", "double", "Traded amount, in the base currency"),
    Column("provider", "string", "Who said so"),
    Column("timeframe", "string", "Length of the candle: 1m, 5m, 15m, 1h, 4h or 1d"),
    Column("ingested_at", "timestamp", "When the lakehouse landed it, UTC"),
    Column("batch_id", "string", "The batch it came with; see ops.progress"),
    Column("partition_date", "date", "Day of `timestamp`, UTC"),
    Column("partition_asset_pair", "string", "Same as asset_pair; the table's partitions"),
)


def bronze_candles(timeframe: str) -> Table:
    return Table(
        layer="bronze",
        name=f"raw_market_data_{timeframe}",
        grain="one row per candle and version of it that a provider sent",
        columns=CANDLE,
        keys=("asset_pair", "timestamp", "provider", "ingested_at"),
        partition_by=("partition_asset_pair",),
        sort_by=("timestamp",),
        timeframe=timeframe,
    )
