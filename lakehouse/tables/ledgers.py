"""What the lakehouse knows of its own contents: gaps, sources and releases."""

from __future__ import annotations

from lakehouse.tables.table import Column, Table

SERIES = (
    Column("asset_pair", "string", "Asset"),
    Column("timeframe", "string", "Timeframe"),
    Column("provider", "string", "Provider whose candles they are"),
)

LEDGERS = (
    Table(
        layer="ops",
        name="gaps",
        grain="one row per asset, timeframe, provider and run of absent candles of a class",
        columns=(
            *SERIES,
            Column("gap_start", "timestamp", "Opening time of the first absent candle, UTC"),
            Column("gap_end", "timestamp", "End of the last absent candle, exclusive, UTC"),
            Column("gap_class", "string", "not_fetched, outage, no_trade, rejected or delisted"),
            Column("candles", "bigint", "Expected candles in it; none while the market is closed"),
            Column("detail", "string", "What is known of the reason"),
            Column("recorded_at", "timestamp", "When the ledger learnt it, UTC"),
        ),
        keys=("asset_pair", "timeframe", "provider", "gap_start"),
        sort_by=("asset_pair", "timeframe", "gap_start"),
    ),
    Table(
        layer="ops",
        name="coverage",
        grain="one row per asset, timeframe and provider that the gap ledger knows",
        columns=(
            *SERIES,
            Column("known_from", "timestamp", "Start of what was asked for or landed, UTC"),
            Column("known_to", "timestamp", "End of what was asked for or landed, exclusive, UTC"),
            Column("first_candle", "timestamp", "First candle the provider ever sent, UTC"),
            Column("last_candle", "timestamp", "Last candle the provider ever sent, UTC"),
            Column("updated_at", "timestamp", "When it changed last, UTC"),
        ),
        keys=("asset_pair", "timeframe", "provider"),
    ),
    Table(
        layer="ops",
        name="sources",
        grain="one row per batch, timeframe and call or file that its candles came from",
        columns=(
            Column("batch_id", "string", "Batch the candles came with"),
            Column("run_id", "string", "Run that landed it"),
            *SERIES,
            Column("source", "string", "URL of the call, without secrets, or path of the file"),
            Column("first_candle", "timestamp", "First candle in it that passed the gate, UTC"),
            Column("last_candle", "timestamp", "Last candle in it that passed the gate, UTC"),
            Column("rows", "bigint", "Rows that passed the gate"),
            Column("landed_at", "timestamp", "When, UTC"),
        ),
        keys=("batch_id", "timeframe", "source"),
    ),
    Table(
        layer="ops",
        name="releases",
        grain="one row per release and table in it",
        columns=(
            Column("release", "string", "Name of the release"),
            Column("table", "string", "Silver or gold table"),
            Column("version", "bigint", "Version of the table that the release pins"),
            Column("rows", "bigint", "Rows of that version"),
            Column("kind", "string", "build, named or rollback"),
            Column("bronze_versions", "string", "Bronze table versions that are in it, as JSON"),
            Column("built_at", "timestamp", "Rows updated later were not in it yet, UTC"),
            Column("created_at", "timestamp", "When the release was recorded, UTC"),
            Column("dropped_at", "timestamp", "When it was let go, UTC; null while it is kept"),
        ),
        keys=("release", "table"),
    ),
)
