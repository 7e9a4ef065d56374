"""`kill -9` between any two table commits of a build or a rollback: whoever reads `latest` sees the
release before or the one after, never a mixture, and the next run makes the rest true."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from lakehouse.releases import find_release, kept_releases
from lakehouse.settings import Settings
from lakehouse.tables import built_tables
from tests.conftest import settings_for
from tests.e2e.forks import Forked, fork
from tests.e2e.lakes import CIRCUMSTANCES, Lake, new_lake

pytestmark = pytest.mark.e2e

TABLES = tuple(table.full_name for table in built_tables())
# What `latest` shows depends on their commits only.
WATCHED = (*TABLES, "ops.table_builds", "ops.releases")
LAYERS = ("bronze", "silver", "gold", "ops")
WHAT = ("--assets", "BTCUSD", "--timeframes", "1h,1d", "--from", "2026-01-05")
Rows = dict[str, pl.DataFrame]


@dataclass(frozen=True)
class Journey:
    """A command on a lake whose state before it is kept; what `latest` says before and after."""

    lake: Lake
    command: tuple[str, ...]
    start: Path
    before: Rows
    after: Rows
    kinds: list[str]
    commits: int

    def begin(self) -> None:
        for layer in LAYERS:
            shutil.rmtree(self.lake.root / layer, ignore_errors=True)
            shutil.copytree(self.start / layer, self.lake.root / layer)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """Two days that were built and released, and a third that has been landed."""
    with new_lake(tmp_path_factory.mktemp("kills") / "lake") as lake:
        done(fork(lake, "backfill", *WHAT, "--to", "2026-01-07"))
        done(fork(lake, "release", "create", "two-days"))
        done(fork(lake, "backfill", *WHAT, "--to", "2026-01-08", "--no-build"))
        yield lake


@pytest.fixture(scope="module")
def building(lake: Lake) -> Journey:
    return undisturbed(lake, "build")


@pytest.fixture(scope="module")
def going_back(lake: Lake, building: Journey) -> Journey:
    assert building.commits
    return undisturbed(lake, "release", "rollback", "two-days")


def undisturbed(lake: Lake, *command: str) -> Journey:
    """Keep the lake as it is, and run the command to its end."""
    start = lake.root.with_name("before " + " ".join(command))
    for layer in LAYERS:
        shutil.copytree(lake.root / layer, start / layer)
    before, commits = latest(lake), len(entries(lake))
    done(fork(lake, *command))
    commits = len(entries(lake)) - commits
    return Journey(lake, command, start, before, latest(lake), kinds(lake), commits)


def done(command: Forked) -> None:
    ran = command.ended()
    assert ran.code == 0, ran.err


def settings(lake: Lake) -> Settings:
    return settings_for(lake.root, engine="sail")


def kinds(lake: Lake) -> list[str]:
    return [release.kind for release in kept_releases(settings(lake))]


def latest(lake: Lake) -> Rows:
    """What somebody reads who asks for `latest`, past the lakehouse, without circumstances."""
    release = find_release(settings(lake), "latest")
    return {name: rows(lake, name, version) for name, version in release.versions.items()}


def rows(lake: Lake, name: str, version: int | None = None) -> pl.DataFrame:
    table = DeltaTable(str(lake.root.joinpath(*name.split("."))), version=version)
    frame = pl.DataFrame(pl.from_arrow(table.to_pyarrow_table()))
    frame = frame.drop(*CIRCUMSTANCES, strict=False)
    return frame.select(sorted(frame.columns)).sort(pl.all())


def is_same(found: Rows, wanted: Rows) -> bool:
    return all(found[name].equals(wanted[name]) for name in TABLES)


def entries(lake: Lake) -> set[str]:
    """Commits of the watched tables."""
    logs = (lake.root.joinpath(*name.split("."), "_delta_log") for name in WATCHED)
    return {
        f"{log}/{file}"
        for log in logs
        if log.is_dir()
        for file in os.listdir(log)
        if file.endswith(".json") and file[0].isdigit()
    }


def kill_after(journey: Journey, commits: int) -> None:
    """Run the command, and kill it when it has made so many commits."""
    before = entries(journey.lake)
    command = fork(journey.lake, *journey.command)
    while command.process.is_alive() and len(entries(journey.lake) - before) < commits:
        time.sleep(0.001)
    command.process.kill()
    assert command.ended().code in (0, -signal.SIGKILL)


def assert_old_or_new_and_mended(journey: Journey, commits: int, mending: tuple[str, ...]) -> None:
    journey.begin()
    kill_after(journey, commits)
    found = latest(journey.lake)
    assert is_same(found, journey.before) or is_same(found, journey.after)
    done(fork(journey.lake, *mending))


def test_a_build_that_is_killed_shows_all_of_it_or_nothing(building: Journey) -> None:
    assert not is_same(building.before, building.after)
    assert building.commits >= len(TABLES)
    for commits in range(1, building.commits + 1):
        assert_old_or_new_and_mended(building, commits, ("build",))
        present = {name: rows(building.lake, name) for name in TABLES}
        assert is_same(present, building.after), commits
        assert is_same(latest(building.lake), building.after), commits
        assert kinds(building.lake) == building.kinds, commits


def test_a_rollback_that_is_killed_goes_all_the_way_or_nowhere(going_back: Journey) -> None:
    assert not is_same(going_back.before, going_back.after)
    for commits in range(1, going_back.commits + 1):
        # Whoever takes the build lock next finishes it first.
        assert_old_or_new_and_mended(going_back, commits, ("release", "create", "mended"))
        present = {name: rows(going_back.lake, name) for name in TABLES}
        assert is_same(present, going_back.after), commits
        assert is_same(latest(going_back.lake), going_back.after), commits
        assert kinds(going_back.lake) == ["named", *going_back.kinds], commits
