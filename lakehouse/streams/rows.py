"""The shape of a streamed row on its way to bronze: what a message said, and where it stood.

A field that did not parse is null; `raw` is the message as it arrived, null where the other columns
say it all; `occurrence` tells equal trades apart that are not one trade sent twice.
"""

from __future__ import annotations

import pyarrow as pa

_WHERE = [
    ("received_at", pa.timestamp("us", tz="UTC")),
    ("topic", pa.string()),
    ("partition", pa.int32()),
    ("offset", pa.int64()),
    ("batch_id", pa.string()),
    ("source", pa.string()),
    ("raw", pa.string()),
]
TRADE_SCHEMA = pa.schema(
    [
        ("symbol", pa.string()),
        ("timestamp", pa.timestamp("us", tz="UTC")),
        ("price", pa.float64()),
        ("volume", pa.float64()),
        ("conditions", pa.string()),
        ("occurrence", pa.int32()),
        ("processed_at", pa.timestamp("us", tz="UTC")),
        *_WHERE,
    ]
)
PRICE_SCHEMA = pa.schema(
    [
        ("symbol", pa.string()),
        ("timestamp", pa.timestamp("us", tz="UTC")),
        ("price", pa.float64()),
        ("volume", pa.float64()),
        ("change_24h", pa.float64()),
        ("exchange", pa.string()),
        *_WHERE,
    ]
)
MESSAGE_SCHEMAS = {
    "bronze.raw_trades": TRADE_SCHEMA,
    "bronze.raw_prices": PRICE_SCHEMA,
    "silver.stg_prices": PRICE_SCHEMA,
}
