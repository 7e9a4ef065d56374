"""Helper columns of messages: what is wrong with their form, told from the fields and the text.

A field that is there is fine, whatever the text says: who mends a dead letter fills in the field.
"""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

# A trade or a ticker takes a few hundred bytes.
LARGEST_BYTES = 65_536
FUTURE_SECONDS = 300
FIELDS = ("symbol", "timestamp", "price", "volume")


def message_fault() -> Column:
    """`empty`, `too large`, `not JSON` or `not an object`; null if there is anything to read."""
    raw = F.col("raw")
    has_nothing = F.coalesce(*(F.col(name).cast("string") for name in FIELDS)).isNull()
    is_object = F.get_json_object(raw, "$").startswith("{")
    fault = (
        F.when(raw.isNull() | (F.length(F.trim(raw)) == 0), "empty")
        .when(F.octet_length(raw) > LARGEST_BYTES, "too large")
        .when(is_object.isNull(), "not JSON")
        .when(~is_object, "not an object")
    )
    return F.when(has_nothing, fault)


def field_fault(name: str, value: Column) -> Column:
    """`missing` or `unreadable`; null if there is a value, or if the message is at fault."""
    text = F.get_json_object(F.col("raw"), f"$.{name}")
    fault = F.when(message_fault().isNotNull(), F.lit(None))
    return F.when(value.isNull(), fault.when(text.isNull(), "missing").otherwise("unreadable"))


def traded_at() -> Column:
    """`timestamp` in seconds since 1970."""
    return F.col("timestamp").cast("double")


def latest_believed() -> Column:
    """The latest `timestamp` that is believed of a message, in seconds since 1970."""
    return F.col("received_at").cast("double") + F.lit(float(FUTURE_SECONDS))
