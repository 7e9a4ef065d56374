"""What a backup takes, what it leaves, and that it fits together while others write."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest

from lakehouse import maintenance, ops
from lakehouse.backup import create, list_backups, restore, verify
from lakehouse.builds import build_lock
from lakehouse.dead_letters import list_dead_letters
from lakehouse.errors import BackupFailed, BackupRefused, LakehouseError, UnknownRelease
from lakehouse.settings import Settings
from tests.backup.lakes import (
    BRONZE,
    GOLD,
    SILVER,
    add,
    file_of,
    land,
    letter,
    object_of,
    table,
    values,
    write,
)


def test_a_backup_has_the_tables_the_dead_letters_and_the_journals(
    lake: Settings, folder: Path
) -> None:
    write(lake.lake / "producers" / "trades" / "position.json", "{}")
    write(lake.lake / "staging" / "rows.parquet", "half")
    write(lake.lake / BRONZE.replace(".", "/") / "part-uncommitted.parquet", "half")
    made = create(lake).manifest
    assert {t.table: (t.version, t.rows) for t in made.tables if t.table[:3] != "ops"} == {
        BRONZE: (2, 6),
        SILVER: (1, 5),
        GOLD: (0, 1),
    }
    on_disk = {str(p.relative_to(lake.lake)) for p in lake.lake.rglob("*") if p.is_file()}
    left_out = on_disk - {file.path for file in made.files}
    assert {name for name in left_out if not name.startswith(".services/")} == {
        "producers/trades/position.json",
        "staging/rows.parquet",
        f"{BRONZE.replace('.', '/')}/part-uncommitted.parquet",
    }
    assert (folder / "manifests" / f"{made.id}.json").exists()


def test_the_second_backup_copies_only_what_is_new(lake: Settings, folder: Path) -> None:
    first = create(lake)
    assert first.files_copied == len(first.manifest.files)
    assert create(lake).files_copied == 0
    add(lake, BRONZE, [99])
    third = create(lake)
    assert third.files_copied == 2  # a commit and its file
    assert third.files_present == len(first.manifest.files)
    assert third.bytes_copied + third.bytes_present == third.manifest.size_bytes
    found, damaged = list_backups(lake)
    assert (len(found), damaged) == (3, [])
    assert found[0] == third.manifest


def test_a_known_file_is_not_read_again_and_a_changed_one_is(lake: Settings, folder: Path) -> None:
    first = create(lake).manifest
    file = file_of(first, "dlq_old.json")
    path = lake.lake / file.path
    path.write_text("[]")
    os.utime(path, ns=(file.mtime_ns, file.mtime_ns))
    assert create(lake).manifest.files == first.files
    path.touch()
    again = create(lake)
    assert again.files_copied == 1
    assert object_of(folder, file_of(again.manifest, "dlq_old.json")).read_text() == "[]"


def test_an_object_that_is_gone_is_copied_again(lake: Settings, folder: Path) -> None:
    file = file_of(create(lake).manifest, ".parquet")
    object_of(folder, file).unlink()
    assert create(lake).files_copied == 1
    assert verify(lake)


def test_a_damaged_manifest_only_costs_reading_more(lake: Settings, folder: Path) -> None:
    made = create(lake).manifest
    (folder / "manifests" / f"{made.id}.json").write_text("{")
    again = create(lake)
    assert (again.files_copied, again.files_present) == (0, len(made.files))
    found, damaged = list_backups(lake)
    assert [manifest.id for manifest in found] == [again.manifest.id]
    assert [error.backup for error in damaged] == [made.id]


def test_vacuumed_versions_are_left_out_and_the_others_are_whole(
    lake: Settings, tmp_path: Path
) -> None:
    table(lake.lake, BRONZE).delete("value < 10")
    table(lake.lake, BRONZE).optimize.compact()
    table(lake.lake, BRONZE).vacuum(0, dry_run=False, enforce_retention_duration=False)
    create(lake)
    restore(lake, tmp_path / "new")
    assert values(tmp_path / "new", BRONZE) == [10, 11, 12]
    assert len(list((tmp_path / "new" / "bronze").rglob("*.parquet"))) == 1


def test_a_log_that_begins_with_a_checkpoint_is_enough(lake: Settings, tmp_path: Path) -> None:
    table(lake.lake, BRONZE).create_checkpoint()
    add(lake, BRONZE, [99])
    log = lake.lake / BRONZE.replace(".", "/") / "_delta_log"
    for number in (0, 1):
        (log / f"{number:020d}.json").unlink()
    create(lake)
    restore(lake, tmp_path / "new")
    assert values(tmp_path / "new", BRONZE) == [0, 1, 2, 10, 11, 12, 99]
    assert values(tmp_path / "new", BRONZE, 2) == [0, 1, 2, 10, 11, 12]


def test_a_release_is_backed_up_at_its_versions_alone(lake: Settings, tmp_path: Path) -> None:
    # Later than the release: commits, and a checkpoint that _last_checkpoint points to.
    table(lake.lake, SILVER).create_checkpoint()
    made = create(lake, "latest").manifest
    assert (made.kind, made.release) == ("release", "first")
    assert {t.table: (t.version, t.rows) for t in made.tables} == {SILVER: (0, 2), GOLD: (0, 1)}
    restored = restore(lake, tmp_path / "new", made.id)
    assert all(found.is_same for found in restored.tables)
    assert values(tmp_path / "new", SILVER) == [1, 2]
    assert [entry["version"] for entry in table(tmp_path / "new", SILVER).history()] == [0]
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["gold", "silver"]


def test_after_a_backup_of_a_release_one_of_the_lake_still_knows_its_files(lake: Settings) -> None:
    first = create(lake).manifest
    create(lake, "first")
    file = file_of(first, "dlq_old.json")
    (lake.lake / file.path).write_text("[]")
    os.utime(lake.lake / file.path, ns=(file.mtime_ns, file.mtime_ns))
    assert create(lake).manifest.files == first.files


def test_an_unknown_release_leaves_no_backup(lake: Settings) -> None:
    with pytest.raises(UnknownRelease):
        create(lake, "nope")
    assert list_backups(lake) == ([], [])


@pytest.mark.parametrize("place", ["backups", "..", "."])
def test_the_folder_must_be_apart_from_the_lake(lake: Settings, place: str) -> None:
    with pytest.raises(BackupRefused, match="must not lie in the lake"):
        create(lake, folder=lake.lake / place)
    assert not (lake.lake / "backups").exists()


def test_a_lake_without_tables_is_no_lake(lake: Settings, tmp_path: Path) -> None:
    nothing = lake.model_copy(update={"root": tmp_path / "nothing"})
    with pytest.raises(BackupRefused, match="has no tables"):
        create(nothing)
    assert not nothing.lake.exists()


def test_a_folder_that_cannot_be_written_fails_the_backup(lake: Settings, tmp_path: Path) -> None:
    with pytest.raises(BackupFailed, match="Not a directory"):
        create(lake, folder=write(tmp_path / "file", "") / "backups")


@pytest.mark.parametrize(
    ("missing", "problem"),
    [
        ("part-*.parquet", r"version 2 of bronze\.raw_market_data_1h lacks part-"),
        ("_delta_log/*1.json", r"the log of bronze\.raw_market_data_1h cannot be read: "),
    ],
)
def test_a_table_that_cannot_be_read_fails_the_backup(
    lake: Settings, missing: str, problem: str
) -> None:
    next((lake.lake / BRONZE.replace(".", "/")).glob(missing)).unlink()
    with pytest.raises(BackupFailed, match=f"The backup was not made: .*{problem}"):
        create(lake)
    assert list_backups(lake) == ([], [])


def test_the_folder_of_the_settings_is_used(lake: Settings, tmp_path: Path) -> None:
    backup = lake.backup.model_copy(update={"folder": tmp_path / "elsewhere"})
    there = lake.model_copy(update={"backup": backup})
    create(there)
    assert (len(list_backups(there)[0]), len(list_backups(lake)[0])) == (1, 0)


@contextmanager
def in_background(work: object) -> Iterator[Thread]:
    thread = Thread(target=work)
    thread.start()
    yield thread
    thread.join(30)
    assert not thread.is_alive()


def test_a_backup_waits_for_a_build_and_vacuum_for_a_backup(lake: Settings) -> None:
    with build_lock(lake) as held, in_background(lambda: create(lake)) as backup:
        backup.join(0.3)
        assert backup.is_alive()
        held.release()
    with (
        maintenance.files_lock(lake) as held,
        in_background(lambda: maintenance.vacuum(lake, GOLD)) as vacuum,
    ):
        vacuum.join(0.3)
        assert vacuum.is_alive()
        maintenance.vacuum(lake, SILVER, dry_run=True)
        held.release()


def test_what_the_records_promise_is_in_the_backup_while_others_write(
    lake: Settings, tmp_path: Path
) -> None:
    is_over = Event()
    # So many that there is time to write between one layer and the next.
    for number in range(150):
        write(lake.lake / "dlq" / "archive" / f"dlq_{number}.json", str(number))

    def write_on() -> None:
        """As a landing does: rows, then progress. As a replay does: rows, then the letter goes.
        Before one goes, the next is there."""
        number, path = 100, letter(lake, "100")
        while not is_over.is_set():
            add(lake, BRONZE, [number])
            land(lake, number)
            number, landed = number + 1, path
            path = letter(lake, str(number))
            landed.unlink()

    with in_background(write_on):
        try:
            made = [create(lake).manifest for _ in range(4)]
        finally:
            is_over.set()
    for manifest in made:
        new = lake.model_copy(update={"root": tmp_path / manifest.id})
        assert all(found.is_same for found in restore(lake, new.lake, manifest.id).tables)
        rows = set(values(new.lake, BRONZE))
        promised = {int(row["batch_id"]) for row in ops.read(new, "ops.progress").to_pylist()}
        letters, _ = list_dead_letters(new.lake)
        waiting = [int(found.batch_id) for found in letters if found.batch_id != "broken"]
        assert promised <= rows
        # What is no letter any more has landed.
        assert set(range(100, min(waiting, default=100))) <= rows
    assert len({manifest.tables for manifest in made}) > 1


def test_every_error_of_backups_can_be_caught_as_one(lake: Settings) -> None:
    with pytest.raises(LakehouseError) as caught:
        create(lake, folder=lake.lake)
    assert caught.value.exit_code == 2
