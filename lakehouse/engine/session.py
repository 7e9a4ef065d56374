"""A session with the engine, in which every table of the lake has its name.

Three ways to an engine, in this order: the one that spark-submit started around this process, the
Spark Connect endpoint that SPARK_REMOTE names, the lake's own server.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from lakehouse.engine.server import engine_service
from lakehouse.errors import EngineUnreachable
from lakehouse.settings import Settings
from lakehouse.tables import LAYERS


def connect(settings: Settings) -> SparkSession:
    """A session with UTC as its time zone and the lake's tables registered.

    Raises EngineStartFailed, EngineUnreachable, JavaMissing or JarsMissing.
    """
    if "PYSPARK_GATEWAY_PORT" in os.environ:
        session = SparkSession.builder.getOrCreate()
    else:
        session = _remote_session(remote_address(settings))
    session.conf.set("spark.sql.session.timeZone", "UTC")
    register_tables(session, settings)
    return session


def remote_address(settings: Settings) -> str:
    named = os.environ.get("SPARK_REMOTE")
    return named or f"sc://127.0.0.1:{engine_service(settings).ensure().port}"


def _remote_session(remote: str) -> SparkSession:
    import grpc

    try:
        session = SparkSession.builder.remote(remote).create()
        _ = session.version
    except (PySparkException, grpc.RpcError) as error:
        raise EngineUnreachable(remote=remote, problem=_first_line(error)) from error
    return session


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def register_tables(session: SparkSession, settings: Settings) -> None:
    """Name every Delta table found in the lake `<layer>.<table>`: files are the catalog."""
    for layer in LAYERS:
        # Sail would put a schema without a place into its own working directory.
        session.sql(f"CREATE SCHEMA IF NOT EXISTS {layer} LOCATION '{settings.lake / layer}'")
        known = {row.tableName for row in session.sql(f"SHOW TABLES IN {layer}").collect()}
        for table in _tables_on_disk(settings.lake / layer):
            if table.name not in known:
                session.sql(
                    f"CREATE TABLE IF NOT EXISTS {layer}.`{table.name}` "
                    f"USING delta LOCATION '{table}'"
                )


def _tables_on_disk(layer: Path) -> Iterator[Path]:
    yield from (log.parent for log in sorted(layer.glob("*/_delta_log")))
