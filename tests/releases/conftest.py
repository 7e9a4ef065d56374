"""A lake on Sail with two builds, to be copied."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builds.conftest import _no_dbt_log, new_lake  # noqa: F401 - fixtures
from tests.builds.lakes import Lake, NewLake
from tests.releases.lakes import create, third_day, two_days


@pytest.fixture(scope="session")
def built_twice(
    new_lake: NewLake,  # noqa: F811 - the fixture
    tmp_path_factory: pytest.TempPathFactory,
) -> Lake:
    """Two days, built and named `two-days`; then a third, built. To be copied, not changed."""
    lake = new_lake(tmp_path_factory.mktemp("built-twice") / "lake")
    lake.land(two_days())
    lake.build()
    create(lake, "two-days")
    lake.land(third_day())
    lake.build()
    return lake


@pytest.fixture
def lake_of_two(
    new_lake: NewLake,  # noqa: F811 - the fixture
    built_twice: Lake,
    tmp_path: Path,
) -> Lake:
    """A copy of `built_twice`, to be changed. Its releases, newest first: of the second build,
    `two-days`, of the first build."""
    return new_lake(built_twice.copied_to(tmp_path / "lake"))
