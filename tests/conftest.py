"""One warm engine of each kind for the whole run; each test gets a lake of its own on it.

The run has three processes, for many tests wait for a service. All tests on Spark are in the same
one, and the tests of a file are, for they share what is costly to make.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import structlog
from pyspark.sql import SparkSession

from lakehouse import services
from lakehouse.engine import connect, engine_service, register_tables
from lakehouse.engine.server import NOTING_LINES
from lakehouse.kafka import bootstrap_servers
from lakehouse.settings import Settings, load_settings
from lakehouse.tables import LAYERS


def pytest_configure() -> None:
    # No engine here lives long enough to earn back what its second compiler costs, a third of all.
    os.environ.setdefault("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1")


@pytest.hookimpl(tryfirst=True)  # before the groups are read
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        group = "spark" if _is_on_spark(item) else item.path.stem
        item.add_marker(pytest.mark.xdist_group(group))
    # The longest first, so that neither process waits for the other at the end.
    items.sort(key=lambda item: item.get_closest_marker("e2e") is None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """SPARK_REMOTE is for tests on Spark alone: it has the word over a lake's own engine."""
    named = None if _is_on_spark(item) else os.environ.pop("SPARK_REMOTE", None)
    try:
        return (yield)
    finally:
        if named:
            os.environ["SPARK_REMOTE"] = named


def _is_on_spark(item: pytest.Item) -> bool:
    parameters = getattr(item, "callspec", None)
    is_either = parameters is not None and parameters.params.get("session") == "spark"
    return is_either or "spark_remote" in getattr(item, "fixturenames", ())


def settings_for(lake: Path, **changes: object) -> Settings:
    return load_settings().model_copy(update={"root": lake, **changes})


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """A command that ran in this process has set how much is logged; the next test has not."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def engine_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    settings = settings_for(tmp_path_factory.mktemp("engine-home"), engine="spark")
    yield settings
    services.stop(settings.lake, "engine")


@pytest.fixture(scope="session")
def spark_remote(engine_home: Settings) -> Iterator[str]:
    """Address of the run's Spark engine, also in SPARK_REMOTE for whatever the tests start."""
    remote = f"sc://127.0.0.1:{engine_service(engine_home).ensure().port}"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SPARK_REMOTE", remote)
        yield remote


@pytest.fixture(scope="session")
def spark(spark_remote: str, engine_home: Settings) -> Iterator[SparkSession]:
    session = connect(engine_home)
    yield session
    session.stop()


@pytest.fixture(scope="session")
def sail_remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the run's Sail engine; each session with it has tables of its own."""
    home = settings_for(tmp_path_factory.mktemp("sail-home"), engine="sail")
    yield f"sc://127.0.0.1:{engine_service(home).ensure().port}"
    services.stop(home.lake, "engine")


@pytest.fixture(scope="session")
def sail(sail_remote: str) -> Iterator[SparkSession]:
    with sail_session(sail_remote) as session:
        yield session


@contextmanager
def sail_session(remote: str) -> Iterator[SparkSession]:
    """Not by connect(): in a test on both engines SPARK_REMOTE names Spark."""
    session = SparkSession.builder.remote(remote).create()
    session.conf.set("spark.sql.session.timeZone", "UTC")
    session.conf.set(NOTING_LINES, "false")
    yield session
    session.stop()


@pytest.fixture(scope="session", params=["spark", "sail"])
def session(request: pytest.FixtureRequest) -> SparkSession:
    """Either engine, for what must be the same on both."""
    found: SparkSession = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the run's Kafka broker."""
    home = settings_for(tmp_path_factory.mktemp("broker"))
    home = home.model_copy(update={"kafka": home.kafka.model_copy(update={"port": 0})})
    yield bootstrap_servers(home)
    services.stop(home.lake, "kafka")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of an empty lake; no engine needed."""
    return settings_for(tmp_path / "lake")


@pytest.fixture
def lake(spark: SparkSession, settings: Settings) -> Settings:
    """Settings of an empty lake that the run's Spark session serves."""
    forget_tables(spark)
    register_tables(spark, settings)
    return settings.model_copy(update={"engine": "spark"})


@pytest.fixture
def sail_lake(sail: SparkSession, tmp_path: Path) -> Settings:
    """Settings of an empty lake that the run's Sail session serves."""
    settings = settings_for(tmp_path / "sail-lake", engine="sail")
    forget_tables(sail)
    register_tables(sail, settings)
    return settings


def forget_tables(session: SparkSession) -> None:
    """Drop the names of the lake before. It is gone then: Spark removes a dropped schema's folder,
    external tables or not."""
    for layer in LAYERS:
        session.sql(f"DROP SCHEMA IF EXISTS {layer} CASCADE")
