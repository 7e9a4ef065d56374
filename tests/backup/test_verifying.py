"""A backup is read back to the last byte, and what is damaged is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lakehouse.backup import Manifest, create, restore, verify
from lakehouse.errors import BackupDamaged, UnknownBackup
from lakehouse.settings import Settings
from tests.backup.lakes import BRONZE, GOLD, add, file_of, object_of, values
from tests.conftest import settings_for


@pytest.fixture(scope="module")
def made(filled: Settings, tmp_path_factory: pytest.TempPathFactory) -> tuple[Manifest, Path]:
    folder = tmp_path_factory.mktemp("backups")
    return create(filled, folder=folder).manifest, folder


@pytest.fixture
def backup(made: tuple[Manifest, Path], tmp_path: Path) -> tuple[Manifest, Path]:
    """A backup, to be damaged."""
    manifest, folder = made
    return manifest, shutil.copytree(folder, tmp_path / "folder")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The lake itself is gone: all there is, is its backup."""
    return settings_for(tmp_path / "lost")


def test_a_whole_backup_is_read_back(settings: Settings, backup: tuple[Manifest, Path]) -> None:
    manifest, folder = backup
    verified = verify(settings, folder=folder)
    assert verified.manifest == manifest
    assert {(t.table, t.version, t.rows) for t in verified.tables} == {
        (t.table, t.version, t.rows) for t in manifest.tables
    }
    assert verified.objects == len({file.sha256 for file in manifest.files})
    assert verify(settings, manifest.id, folder) == verified


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("ending", [".parquet", "_delta_log/00000000000000000001.json", ".log"])
@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (flip, "has another content"),
        (truncate, r"has \d+ bytes, not \d+"),
        (Path.unlink, "is missing"),
    ],
)
def test_a_damaged_object_is_named_and_nothing_is_restored(
    settings: Settings,
    backup: tuple[Manifest, Path],
    damage: Callable[[Path], None],
    problem: str,
    ending: str,
) -> None:
    manifest, folder = backup
    file = file_of(manifest, ending)
    damage(object_of(folder, file))
    named = f"objects/{file.sha256[:2]}/{file.sha256} of {file.path} {problem}"
    with pytest.raises(BackupDamaged, match=named):
        verify(settings, folder=folder)
    with pytest.raises(BackupDamaged, match=named):
        restore(settings, settings.lake, folder=folder)
    assert list(settings.lake.parent.glob("lost*")) == []


def test_all_that_is_damaged_is_told_up_to_ten(
    settings: Settings, backup: tuple[Manifest, Path]
) -> None:
    manifest, folder = backup
    for file in manifest.files:
        object_of(folder, file).unlink()
    with pytest.raises(BackupDamaged) as caught:
        verify(settings, folder=folder)
    left = len({file.sha256 for file in manifest.files}) - 10
    assert str(caught.value).count("is missing") == 10
    assert f"and {left} more. Nothing was restored" in str(caught.value)


def changed(manifest: Path, **facts: object) -> None:
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), **facts}))


@pytest.mark.parametrize(
    "damage",
    [
        flip,
        truncate,
        lambda path: path.write_text("[]"),
        lambda path: changed(path, tables=[]),
        lambda path: changed(path, checksum="0"),
        lambda path: path.rename(path.with_name("20990101T000000.000Z.json")),
    ],
    ids=["flipped", "truncated", "other", "changed", "checksum", "renamed"],
)
def test_a_damaged_manifest_is_no_backup(
    settings: Settings, backup: tuple[Manifest, Path], damage: Callable[[Path], None]
) -> None:
    manifest, folder = backup
    damage(folder / "manifests" / f"{manifest.id}.json")
    for call in (verify, lambda s, folder: restore(s, s.lake, folder=folder)):
        with pytest.raises(
            BackupDamaged, match=r"its manifest .* (cannot be read|is not as it was)"
        ):
            call(settings, folder=folder)
    assert not settings.lake.exists()


def test_a_manifest_cannot_name_a_place_outside_the_lake(
    settings: Settings, backup: tuple[Manifest, Path]
) -> None:
    from dataclasses import replace

    manifest, folder = backup
    bad = replace(manifest, files=(replace(manifest.files[0], path="../../etc/passwd"),))
    (folder / "manifests" / f"{manifest.id}.json").write_text(bad.as_json())
    with pytest.raises(BackupDamaged, match="its manifest"):
        restore(settings, settings.lake, folder=folder)


def test_a_table_that_was_damaged_before_its_backup_is_found(lake: Settings, folder: Path) -> None:
    file = file_of(create(lake).manifest, ".parquet")
    # The file's foot, which is at its end, still counts its rows.
    data = bytearray((lake.lake / file.path).read_bytes())
    data[4:40] = bytes(36)
    (lake.lake / file.path).write_bytes(data)
    create(lake)
    with pytest.raises(BackupDamaged, match=r"bronze\.raw_market_data_1h cannot be read"):
        verify(lake)


def test_rows_are_counted_in_the_files_not_in_the_log(lake: Settings) -> None:
    log = lake.lake / GOLD.replace(".", "/") / "_delta_log" / f"{0:020d}.json"
    log.write_text(log.read_text().replace('\\"numRecords\\":1', '\\"numRecords\\":7'))
    create(lake)
    problem = r"gold\.mart_daily_metrics is version 0 with 1 rows, not 0 with 7"
    with pytest.raises(BackupDamaged, match=problem):
        verify(lake)


def test_without_statistics_the_rows_are_counted_all_the_same(lake: Settings) -> None:
    log = lake.lake / GOLD.replace(".", "/") / "_delta_log" / f"{0:020d}.json"
    actions = [json.loads(line) for line in log.read_text().splitlines()]
    for action in actions:
        action.get("add", {}).pop("stats", None)
    log.write_text("\n".join(json.dumps(action) for action in actions))
    create(lake)
    assert {t.table: t.rows for t in verify(lake).tables}[GOLD] == 1


def test_an_older_backup_stays_whole_while_the_lake_goes_on(lake: Settings, tmp_path: Path) -> None:
    first = create(lake).manifest
    add(lake, BRONZE, [99])
    create(lake)
    assert verify(lake, first.id).manifest == first
    restore(lake, tmp_path / "new", first.id)
    assert values(tmp_path / "new", BRONZE) == [0, 1, 2, 10, 11, 12]


def test_the_latest_is_that_of_a_whole_lake(lake: Settings) -> None:
    create(lake, "first")
    with pytest.raises(UnknownBackup, match=r"no backup latest in .*-release"):
        verify(lake)
    whole = create(lake).manifest
    of_release = create(lake, "first").manifest
    assert verify(lake).manifest == whole
    assert verify(lake, of_release.id).manifest == of_release


@pytest.mark.parametrize("backup", ["nope", "latest"])
def test_an_unknown_backup_is_answered_with_those_there_are(
    settings: Settings, made: tuple[Manifest, Path], backup: str, tmp_path: Path
) -> None:
    manifest, folder = made
    if backup == "latest":
        with pytest.raises(UnknownBackup, match=r"no backup latest in .*It has: none\."):
            verify(settings)
    else:
        with pytest.raises(UnknownBackup, match=rf"no backup nope in .*It has: {manifest.id}\."):
            verify(settings, backup, folder)
