"""Lakes with a random history each, on both engines or on Sail; to be read, not changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from lakehouse import Lakehouse
from lakehouse.engine import register_tables
from lakehouse.settings import Settings
from tests.conftest import forget_tables, sail_session, settings_for
from tests.knowledge.histories import Value, random_history, write


@dataclass(frozen=True)
class Known:
    """A lake and the history that was written to it."""

    house: Lakehouse
    history: Sequence[Value]

    @property
    def settings(self) -> Settings:
        return self.house.settings


def known_lake(
    session: SparkSession, path: Path, history: Sequence[Value], has_companion: bool = True
) -> Known:
    settings = settings_for(path)
    write(settings, history, has_companion)
    forget_tables(session)
    register_tables(session, settings)
    return Known(Lakehouse(settings, session), history)


@pytest.fixture
def known(session: SparkSession, tmp_path: Path) -> Known:
    """On either engine."""
    return known_lake(session, tmp_path / "lake", random_history(seed=1))


@pytest.fixture(scope="module")
def of_sail(sail_remote: str) -> Iterator[SparkSession]:
    """A session on Sail that serves one lake after the other."""
    with sail_session(sail_remote) as session:
        yield session


@pytest.fixture(scope="module")
def on_sail(sail_remote: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Known]:
    """A lake to be read only, with a session of its own."""
    with sail_session(sail_remote) as session:
        path = tmp_path_factory.mktemp("known") / "lake"
        yield known_lake(session, path, random_history(seed=2))
