"""Both engines, for the function must answer the same on each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

from lakehouse import services
from lakehouse.engine import engine_service
from lakehouse.settings import load_settings


@pytest.fixture(scope="session")
def sail(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    home = tmp_path_factory.mktemp("sail-home")
    settings = load_settings().model_copy(update={"root": home, "engine": "sail"})
    port = engine_service(settings).ensure().port
    session = SparkSession.builder.remote(f"sc://127.0.0.1:{port}").create()
    yield session
    session.stop()
    services.stop(home, "engine")


@pytest.fixture(scope="session", params=["spark", "sail"])
def session(request: pytest.FixtureRequest) -> SparkSession:
    """Either engine."""
    found: SparkSession = request.getfixturevalue(request.param)
    return found
