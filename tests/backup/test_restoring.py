"""A restored lake is the lake that was, whatever stopped a backup or a restore before."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from deltalake import write_deltalake
from filelock import FileLock

from lakehouse.backup import create, list_backups, restore, verify
from lakehouse.errors import RestoreFailed, RestoreRefused
from lakehouse.producers.journal import Journal
from lakehouse.settings import Settings
from lakehouse.time_travel import history
from tests.backup.lakes import BRONZE, SILVER, add, content, move, table, values, write
from tests.e2e.lakes import Lake

BIG = "bronze.raw_market_data_1m"


def test_a_restored_lake_has_every_file_as_it_was(lake: Settings, tmp_path: Path) -> None:
    made = create(lake).manifest
    before = content(lake.lake)
    restored = restore(lake, tmp_path / "deep" / "new")
    assert restored.manifest == made
    assert content(tmp_path / "deep" / "new") == before
    assert all(found.is_same for found in restored.tables)
    assert len(restored.tables) == len(made.tables)


def test_time_travel_goes_on_by_version_and_by_time(lake: Settings, tmp_path: Path) -> None:
    create(lake)
    restore(lake, tmp_path / "new")
    new = move(lake, tmp_path / "new")
    assert history(new, BRONZE) == history(lake, BRONZE)
    assert all(version.is_readable for version in history(new, BRONZE))
    assert values(new.lake, SILVER, 0) == [1, 2]


def test_a_restored_journal_gives_again_what_was_sent_and_may_not_have_landed(
    lake: Settings, tmp_path: Path
) -> None:
    home = Path("producers") / "prices" / "journal"
    journal = Journal(lake.lake / home, "prices")
    journal.append(b"sent\n")
    journal.confirm(journal.read(journal.confirmed, 100)[2])
    journal.append(b"waiting\n")
    create(lake)
    assert journal.read(journal.confirmed, 100)[0] == b"waiting\n"
    journal.close()
    restore(lake, tmp_path / "new")
    journal = Journal(tmp_path / "new" / home, "prices")
    assert journal.read(journal.confirmed, 100)[0] == b"sent\nwaiting\n"
    journal.close()


def test_a_restored_lake_that_went_its_own_way_has_backups_in_the_same_folder(
    lake: Settings, folder: Path, tmp_path: Path
) -> None:
    first = create(lake).manifest
    restore(lake, tmp_path / "new")
    new = move(lake, tmp_path / "new")
    # Commits of the same name and version, with other contents.
    add(lake, BRONZE, [50])
    add(new, BRONZE, [60])
    of_lake = create(lake).manifest
    of_new = create(new, folder=folder)
    assert of_new.files_copied == 2
    wanted = {first.id: [], of_lake.id: [50], of_new.manifest.id: [60]}
    for backup, more in wanted.items():
        restore(lake, tmp_path / backup, backup)
        assert values(tmp_path / backup, BRONZE) == [0, 1, 2, 10, 11, 12, *more]
    assert len(list_backups(lake)[0]) == 3


def test_an_empty_directory_will_do_and_a_full_one_will_not(lake: Settings, tmp_path: Path) -> None:
    create(lake)
    (tmp_path / "empty").mkdir()
    restore(lake, tmp_path / "empty")
    file = write(tmp_path / "full" / "file", "mine")
    for root in (tmp_path / "empty", tmp_path / "full", file, lake.lake):
        before = content(root)
        with pytest.raises(RestoreRefused, match=f"Nothing was restored to {root}: it is not emp"):
            restore(lake, root)
        assert content(root) == before


def test_the_root_must_be_apart_from_the_backups(lake: Settings, folder: Path) -> None:
    create(lake)
    for root in (folder, folder / "new", folder.parent):
        with pytest.raises(RestoreRefused, match="must not lie in the backups' folder"):
            restore(lake, root)


def test_two_restores_to_one_root_do_not_meet(lake: Settings, tmp_path: Path) -> None:
    create(lake)
    draft = write(tmp_path / "new.restoring" / "file", "of the other").parent
    with FileLock(draft / ".restore.lock"), pytest.raises(RestoreRefused, match="another restore"):
        restore(lake, tmp_path / "new")
    assert (draft / "file").exists()
    restore(lake, tmp_path / "new")
    assert content(tmp_path / "new") == content(lake.lake)


def test_a_place_that_cannot_be_written_fails_the_restore(lake: Settings, tmp_path: Path) -> None:
    create(lake)
    with pytest.raises(RestoreFailed, match="Not a directory"):
        restore(lake, write(tmp_path / "file", "") / "new")


@pytest.fixture
def big(lake: Settings) -> Settings:
    """A lake with a table that takes a while to copy."""
    rows = pl.DataFrame({"value": np.random.default_rng(1).random(2_000_000)})
    write_deltalake(str(lake.lake.joinpath(*BIG.split("."))), rows.to_arrow())
    return lake


def kill_when(lake: Settings, is_time: Callable[[], bool], *arguments: str) -> None:
    """Start the command line, and kill it at that moment."""
    process = Lake(lake.lake).start("backup", *arguments)
    with process:
        while not is_time():
            assert process.poll() is None, process.communicate()
            time.sleep(0.001)
        process.kill()
    assert process.returncode == -signal.SIGKILL


def has_begun(files: Iterator[Path]) -> bool:
    try:
        return any(file.stat().st_size > 2_000_000 for file in files)
    except FileNotFoundError:
        return False


def test_a_backup_that_is_killed_is_none_and_the_next_one_goes_on(
    big: Settings, folder: Path, tmp_path: Path
) -> None:
    kill_when(big, lambda: has_begun((folder / "objects").glob("*.draft")), "create")
    assert list_backups(big) == ([], [])
    made = create(big)
    assert made.files_present > 0
    assert list((folder / "objects").glob("*.draft")) == []
    assert verify(big).manifest == made.manifest
    restore(big, tmp_path / "new")
    assert content(tmp_path / "new") == content(big.lake)


def test_a_restore_that_is_killed_leaves_no_lake_and_the_next_one_is_right(
    big: Settings, tmp_path: Path
) -> None:
    create(big)
    root, draft = tmp_path / "new", tmp_path / "new.restoring"
    kill_when(big, lambda: has_begun(draft.rglob("*.parquet")), "restore", "--to", str(root))
    assert draft.exists()
    assert not root.exists()
    restore(big, root)
    assert not draft.exists()
    assert content(root) == content(big.lake)
    assert table(root, BIG).version() == 0
