from __future__ import annotations

from pathlib import Path

import pytest

from lakehouse.settings import Settings
from tests.backup.lakes import fill, move
from tests.conftest import settings_for


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A small lake, to be copied, not changed."""
    settings = settings_for(tmp_path_factory.mktemp("filled") / "lake", engine="sail")
    fill(settings)
    return settings


@pytest.fixture
def lake(filled: Settings, tmp_path: Path) -> Settings:
    """A small lake of its own, made of Delta tables without an engine."""
    return move(filled, tmp_path / "lake")


@pytest.fixture
def folder(lake: Settings) -> Path:
    """Where its backups go."""
    return lake.lake.with_name("lake-backup")
