"""Tables that streams write: bronze from Kafka, and the silver that is kept beside it."""

from __future__ import annotations

from lakehouse.tables.table import Column, Table

POSITION = (
    Column("received_at", "timestamp", "When the broker got it, UTC"),
    Column("topic", "string", "Kafka topic"),
    Column("partition", "int", "Partition of the topic"),
    Column("offset", "bigint", "Its place in the partition"),
    Column("ingested_at", "timestamp", "When the lakehouse landed it, UTC"),
    Column("batch_id", "string", "Micro-batch it came with; see ops.stream_batches"),
)
BUILT = (
    Column("created_at", "timestamp", "When the row was first built, UTC"),
    Column("updated_at", "timestamp", "When a value of it changed last, UTC"),
)

RAW_TRADES = Table(
    layer="bronze",
    name="raw_trades",
    grain="one row per trade",
    columns=(
        Column("symbol", "string", "As the feed writes it, e.g. BINANCE:BTCUSDT"),
        Column("timestamp", "timestamp", "When it was traded, UTC"),
        Column("price", "double", "Price, in the quote currency"),
        Column("volume", "double", "Traded amount, in the base currency or shares"),
        Column("conditions", "string", "The feed's trade conditions, as JSON"),
        Column("occurrence", "int", "0, or how many equal trades came before it"),
        Column("is_outlier", "boolean", "Beyond 3 standard deviations of the recent prices"),
        Column("is_late", "boolean", "Too late for the stream to correct its minute"),
        Column("processed_at", "timestamp", "When the producer got it, UTC"),
        *POSITION,
        Column("trade_year", "int", "Year of timestamp, UTC"),
        Column("trade_month", "int", "Month of timestamp, UTC"),
        Column("trade_day", "int", "Day of timestamp, UTC"),
        Column("trade_hour", "int", "Hour of timestamp, UTC"),
    ),
    keys=("symbol", "timestamp", "price", "volume", "conditions", "occurrence"),
    partition_by=("trade_year", "trade_month", "trade_day", "trade_hour"),
    sort_by=("symbol", "timestamp"),
    is_streamed=True,
)

TRADE_AGGREGATES = Table(
    layer="silver",
    name="trade_aggregates",
    grain="one row per symbol and minute",
    columns=(
        Column("symbol", "string", "As the feed writes it, e.g. BINANCE:BTCUSDT"),
        Column("window_start", "timestamp", "Start of the minute, UTC"),
        Column("window_end", "timestamp", "Start of the next minute, UTC"),
        Column("open", "double", "First price; of trades at one time the one that came first"),
        Column("high", "double", "Highest price"),
        Column("low", "double", "Lowest price"),
        Column("close", "double", "Last price; of trades at one time the one that came last"),
        Column("volume", "double", "Sum of the volumes"),
        Column("trade_count", "bigint", "Number of trades"),
        Column("volatility", "double", "Sample standard deviation of the prices; null below two"),
        Column("vwap", "double", "Mean price weighted by volume"),
        Column("turnover", "double", "Sum of price times volume"),
        Column("outlier_count", "bigint", "Trades among them that are flagged is_outlier"),
        Column("is_imputed", "boolean", "Nobody traded: the candle before goes on, flat"),
        Column("price_mean", "double", "Mean price; state that later trades continue from"),
        Column("price_m2", "double", "Sum of squared deviations from the mean; state"),
        Column("first_at", "timestamp", "Time of the first trade, UTC; state"),
        Column("first_offset", "bigint", "Offset of the first trade; state"),
        Column("last_at", "timestamp", "Time of the last trade, UTC; state"),
        Column("last_offset", "bigint", "Offset of the last trade; state"),
        *BUILT,
        Column("trade_date", "date", "Day of window_start, UTC"),
        Column("trade_hour", "int", "Hour of window_start, UTC"),
    ),
    keys=("symbol", "window_start"),
    partition_by=("trade_date", "trade_hour"),
    sort_by=("symbol", "window_start"),
    # A version every few seconds, each with the hour's file anew.
    retention_hours=168,
    is_streamed=True,
)

TICKER = (
    Column("symbol", "string", "Asset pair, e.g. BTCUSD"),
    Column("timestamp", "timestamp", "Time of the ticker, UTC"),
    Column("price", "double", "Last price, in the quote currency"),
    Column("volume", "double", "Traded in 24 hours, in the base currency"),
    Column("change_24h", "double", "Change of the price in percent; Kraken's since midnight UTC"),
    Column("exchange", "string", "Who said so"),
)

RAW_PRICES = Table(
    layer="bronze",
    name="raw_prices",
    grain="one row per ticker that an exchange sent",
    columns=(*TICKER, *POSITION, Column("price_date", "date", "Day of timestamp, UTC")),
    keys=("exchange", "symbol", "timestamp", "price", "volume", "change_24h"),
    partition_by=("price_date",),
    sort_by=("symbol", "timestamp"),
    is_streamed=True,
)

STG_PRICES = Table(
    layer="silver",
    name="stg_prices",
    grain="one row per exchange, symbol and timestamp",
    columns=(*TICKER, *BUILT, Column("price_date", "date", "Day of timestamp, UTC")),
    keys=("exchange", "symbol", "timestamp"),
    partition_by=("price_date",),
    sort_by=("symbol", "timestamp"),
    is_streamed=True,
)

STREAMED = (RAW_TRADES, RAW_PRICES, TRADE_AGGREGATES, STG_PRICES)
