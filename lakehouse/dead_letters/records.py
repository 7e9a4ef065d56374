"""Records: a row as JSON, and back again without loss.

Times are ISO 8601 in UTC; NaN and infinity, which JSON does not have, are the texts `NaN`,
`Infinity` and `-Infinity`; `raw` is spelled out where it is JSON itself.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pyarrow as pa
from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import StructField, TimestampNTZType, TimestampType

from lakehouse.settings import Settings
from lakehouse.timeframes import EPOCH

RAW = "raw"
REASON = "reason"
HIDDEN = "***"
Record = dict[str, Any]


def exported(fields: Iterable[StructField]) -> list[Column]:
    """The columns as they leave the engine: times as microseconds, for these have no time zone."""
    return [
        F.unix_micros(F.col(field.name).cast("timestamp")).alias(field.name)
        if isinstance(field.dataType, TimestampType | TimestampNTZType)
        else F.col(field.name)
        for field in fields
    ]


def recorder(fields: Iterable[StructField]) -> Callable[[tuple[Any, ...]], Record]:
    """A function from an exported row to its record, without the reason."""
    makers = [(field.name, _maker(field)) for field in fields]

    def record(row: tuple[Any, ...]) -> Record:
        pairs = zip(makers, row, strict=False)
        return {name: None if value is None else make(value) for (name, make), value in pairs}

    return record


def _maker(field: StructField) -> Callable[[Any], Any]:
    if isinstance(field.dataType, TimestampType | TimestampNTZType):
        return _time
    return _raw if field.name == RAW else _plain


def _time(micros: int) -> str:
    return (EPOCH + timedelta(microseconds=micros)).isoformat()


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value.isoformat() if isinstance(value, date) else str(value)


def _raw(text: str) -> Any:
    """Spelled out, if it comes back the same."""
    try:
        parsed = json.loads(text)
    except ValueError:
        return text
    is_faithful = isinstance(parsed, list | dict) and raw_text(parsed) == text
    return parsed if is_faithful else text


def raw_text(raw: Any) -> str | None:
    """The text that `raw` was before it was spelled out."""
    if raw is None or isinstance(raw, str):
        return raw
    try:
        return json.dumps(raw, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError:
        return None


def rebuilt(records: Iterable[Record], schema: pa.Schema) -> pa.RecordBatch:
    """Rows of that schema from records; a value a person made unreadable is null, for the gate."""
    rows = list(records)
    columns = [_column([row.get(field.name) for row in rows], field) for field in schema]
    return pa.record_batch(columns, schema=schema)


def _column(values: list[Any], field: pa.Field) -> pa.Array:
    if field.name == RAW:
        values = [raw_text(value) for value in values]
    else:
        values = [_value(value, field.type) for value in values]
    return pa.array(values, field.type)


def _value(value: Any, kind: pa.DataType) -> Any:
    try:
        if value is None:
            return None
        if pa.types.is_floating(kind):
            return float(value)
        if pa.types.is_timestamp(kind):
            return _as_utc(datetime.fromisoformat(value))
        if pa.types.is_date(kind):
            return date.fromisoformat(value)
        if pa.types.is_boolean(kind):
            return bool(value)
        return int(value) if pa.types.is_integer(kind) else str(value)
    except (TypeError, ValueError):
        return None


def _as_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def redactor(settings: Settings) -> Callable[[Any], Any]:
    """A function that hides every secret of the settings in the texts of a value."""
    kafka = settings.kafka
    held = [
        settings.streams.trade_feed.token,
        kafka.sasl_password,
        kafka.ssl_key_password,
        *(secret for p in settings.providers.values() for secret in (p.api_key, p.token)),
    ]
    secrets = [text for secret in held if secret and (text := secret.get_secret_value())]
    hidden = sorted({*secrets, *(quote(secret, safe="") for secret in secrets)}, key=len)[::-1]

    def redact(value: Any) -> Any:
        if isinstance(value, str):
            for secret in hidden:
                value = value.replace(secret, HIDDEN)
            return value
        if isinstance(value, dict):
            return {key: redact(each) for key, each in value.items()}
        return [redact(each) for each in value] if isinstance(value, list) else value

    return redact if hidden else lambda value: value
