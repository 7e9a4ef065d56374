"""Lakes on Sail, each with a session of its own; a build takes seconds, so tests share them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import polars as pl
import pytest

from lakehouse.engine import register_tables
from tests.builds.lakes import Lake, NewLake
from tests.builds.market import market
from tests.conftest import sail_session, settings_for


@pytest.fixture(scope="session")
def new_lake(sail_remote: str) -> Iterator[NewLake]:
    """Opens the lake at a path, empty or not."""
    with ExitStack() as sessions:

        def open_lake(path: Path) -> Lake:
            session = sessions.enter_context(sail_session(sail_remote))
            settings = settings_for(path, engine="sail")
            register_tables(session, settings)
            return Lake(session, settings)

        yield open_lake


@pytest.fixture(scope="session")
def candles() -> pl.DataFrame:
    return market()


@pytest.fixture(scope="session")
def whole(
    new_lake: NewLake, candles: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory
) -> Lake:
    """All candles, built at once. To be read, or copied, not changed."""
    lake = new_lake(tmp_path_factory.mktemp("whole") / "lake")
    lake.land(candles)
    lake.build()
    return lake


@pytest.fixture
def copy(new_lake: NewLake, whole: Lake, tmp_path: Path) -> Lake:
    """A copy of `whole`, to be changed."""
    return new_lake(whole.copied_to(tmp_path / "copy"))


@pytest.fixture(scope="session", autouse=True)
def _no_dbt_log() -> Iterator[None]:
    # dbt never closes its log file, and an open file is a warning.
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("DBT_LOG_LEVEL_FILE", "none")
        yield
