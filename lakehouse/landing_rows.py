"""The shape of a raw candle on its way to bronze, whatever it came from.

A field that did not parse is null; `raw` is the row as it arrived, as JSON text, or null when the
other columns say it all; `source` is the URL or file.
"""

from __future__ import annotations

import pyarrow as pa

VALUES = ("open", "high", "low", "close", "volume")
LANDING_SCHEMA = pa.schema(
    [
        ("asset_pair", pa.string()),
        ("timestamp", pa.timestamp("us", tz="UTC")),
        ("open", pa.float64()),
        ("high", pa.float64()),
        ("low", pa.float64()),
        ("close", pa.float64()),
        ("volume", pa.float64()),
        ("provider", pa.string()),
        ("timeframe", pa.string()),
        ("batch_id", pa.string()),
        ("source", pa.string()),
        ("raw", pa.string()),
    ]
)
LANDING_DDL = (
    "asset_pair string, timestamp timestamp, open double, high double, low double, close double, "
    "volume double, provider string, timeframe string, batch_id string, source string, raw string"
)
