"""The engine: a Spark Connect server that is shared, stays warm, and is started on demand."""

from lakehouse.engine.server import engine_service
from lakehouse.engine.session import (
    as_default,
    connect,
    is_lost,
    is_sail,
    register_tables,
    stream_session,
)

__all__ = [
    "as_default",
    "connect",
    "engine_service",
    "is_lost",
    "is_sail",
    "register_tables",
    "stream_session",
]
