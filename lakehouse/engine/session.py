"""A session with the engine, in which every table of the lake has its name.

Three ways to an engine, in this order: the one that spark-submit started around this process, the
Spark Connect endpoint that SPARK_REMOTE names, the lake's own server.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from lakehouse.engine.server import NOTING_LINES, engine_service, stream_engine_service
from lakehouse.errors import EngineUnreachable
from lakehouse.services import Service
from lakehouse.settings import Settings
from lakehouse.tables import LAYERS

# Waits 0.05 s, 0.2 s, 0.8 s and 3.2 s. The client's own policy waits ten minutes; the lake's own
# engine, once it is dead, never comes back at the same port.
RETRIES = 4
# Variables by which another engine has the word, whatever the settings say.
OTHER_ENGINES = {"PYSPARK_GATEWAY_PORT", "SPARK_REMOTE"}


def connect(settings: Settings) -> SparkSession:
    """A session with UTC as its time zone and the lake's tables registered.

    Raises EngineStartFailed, EngineUnreachable, JavaMissing or JarsMissing.
    """
    session = _connected(settings, engine_service)
    if is_sail(settings):  # Spark's server was started with it
        session.conf.set(NOTING_LINES, "false")
    return session


def stream_session(settings: Settings) -> SparkSession:
    """The same with an engine that knows streams."""
    session = _connected(settings, stream_engine_service)
    # Spark puts no small pieces together again within a micro-batch.
    session.conf.set("spark.sql.shuffle.partitions", str(settings.spark.cores))
    return session


def is_sail(settings: Settings) -> bool:
    """Whether `connect` leads to the lake's own Sail. Ask before `as_default`."""
    return settings.engine == "sail" and os.environ.keys().isdisjoint(OTHER_ENGINES)


def _connected(settings: Settings, service: Callable[[Settings], Service]) -> SparkSession:
    if "PYSPARK_GATEWAY_PORT" in os.environ:
        session = SparkSession.builder.getOrCreate()
    else:
        session = _remote_session(_address(settings, service))
    session.conf.set("spark.sql.session.timeZone", "UTC")
    register_tables(session, settings)
    return session


def _address(settings: Settings, service: Callable[[Settings], Service]) -> str:
    named = os.environ.get("SPARK_REMOTE")
    return named or f"sc://127.0.0.1:{service(settings).ensure().port}"


def _remote_session(remote: str) -> SparkSession:
    import grpc
    from pyspark.sql.connect.client.retries import DefaultPolicy

    _demand_listener(remote)

    try:
        session = SparkSession.builder.remote(remote).create()
        if "SPARK_REMOTE" not in os.environ:
            session.client.set_retry_policies([DefaultPolicy(max_retries=RETRIES)])
        _ = session.version
    except (PySparkException, grpc.RpcError) as error:
        raise EngineUnreachable(remote=remote, problem=_first_line(error)) from error
    return session


def _demand_listener(remote: str) -> None:
    # The client would try for ten minutes where nobody listens.
    place = urlsplit(remote)
    try:
        socket.create_connection((place.hostname or "", place.port or 15002), 10).close()
    except OSError as error:
        raise EngineUnreachable(remote=remote, problem=error.strerror or str(error)) from error


def is_lost(error: BaseException) -> bool:
    """Whether the error comes of an engine that died: its transport says so wherever it is met."""
    return "StatusCode.UNAVAILABLE" in str(error)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def register_tables(session: SparkSession, settings: Settings) -> None:
    """Name every Delta table found in the lake `<layer>.<table>`: files are the catalog."""
    for layer in LAYERS:
        # Sail would put a schema without a place into its own working directory.
        session.sql(f"CREATE SCHEMA IF NOT EXISTS {layer} LOCATION '{settings.lake / layer}'")
        known = {row.tableName for row in session.sql(f"SHOW TABLES IN {layer}").collect()}
        present = {table.name: table for table in _tables_on_disk(settings.lake / layer)}
        for name in known - present.keys():
            session.sql(f"DROP TABLE IF EXISTS {layer}.`{name}`")
        for name in present.keys() - known:
            place = f"USING delta LOCATION '{present[name]}'"
            session.sql(f"CREATE TABLE IF NOT EXISTS {layer}.`{name}` {place}")


def _tables_on_disk(layer: Path) -> Iterator[Path]:
    yield from (log.parent for log in sorted(layer.glob("*/_delta_log")))


@contextmanager
def as_default(session: SparkSession) -> Iterator[None]:
    """Make `session` the one that `SparkSession.builder.getOrCreate()` finds, in every thread.

    dbt-spark takes its session that way, from threads of its own. PySpark sets the default session
    only once, and has no public way to change it.
    """
    from pyspark.sql.connect.session import SparkSession as ConnectSession

    if not isinstance(session, ConnectSession):
        yield  # under spark-submit there is only one
        return
    before = (
        ConnectSession._default_session,
        getattr(ConnectSession._active_session, "session", None),
    )
    remote = os.environ.get("SPARK_REMOTE")
    ConnectSession._default_session = ConnectSession._active_session.session = session
    # Only its presence counts: it tells the builder to look for a Connect session.
    os.environ["SPARK_REMOTE"] = remote or "sc://the-default-session"
    try:
        yield
    finally:
        ConnectSession._default_session, ConnectSession._active_session.session = before
        if remote is None:
            del os.environ["SPARK_REMOTE"]
