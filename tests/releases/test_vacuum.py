"""Vacuum and log clean-up: what a kept release needs stays, at whatever age."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from pyspark.sql import SparkSession

from lakehouse import Lakehouse, maintenance, ops, time_travel
from lakehouse.builds import drop_release, write_stage
from lakehouse.delta_log import clean_log, keep_log
from lakehouse.errors import ReleaseGone, VersionGone
from lakehouse.releases import Release, find_release, kept_releases, record
from lakehouse.settings import Settings
from lakehouse.tables import bronze_table, stages
from lakehouse.time_travel import tables_on_disk
from tests.builds.lakes import DAILY, ENRICHED, Lake
from tests.releases.lakes import (
    BUILT,
    are_same,
    go_back,
    present,
    recorder,
    rows,
    table,
    third_day,
)
from tests.releases.test_ledger import NOW

A_DAY_AGO = NOW - timedelta(days=1)
KEPT = {"delta.enableExpiredLogCleanup": "false"}


def vacuum_all(settings: Settings) -> None:
    for name in tables_on_disk(settings):
        maintenance.vacuum(settings, name, 0, allow_short=True)


def test_after_vacuum_with_no_retention_every_kept_release_reads_in_full(lake_of_two: Lake) -> None:
    settings = lake_of_two.settings
    go_back(lake_of_two, "two-days")
    for name in BUILT:
        maintenance.optimize(settings, name)
    kept = kept_releases(settings)
    before = {release.name: rows(lake_of_two, release) for release in kept}
    vacuum_all(settings)
    assert [release.kind for release in kept] == ["rollback", "build", "named", "build"]
    for release in kept:
        assert are_same(rows(lake_of_two, release), before[release.name])
        read = time_travel.read(lake_of_two.session, settings, DAILY, release=release.name)
        assert read.count() == release.rows[DAILY]


def test_a_release_that_was_dropped_says_so_and_is_vacuumed(lake_of_two: Lake) -> None:
    settings, house = lake_of_two.settings, Lakehouse(lake_of_two.settings, lake_of_two.session)
    second = find_release(settings, "latest")
    go_back(lake_of_two, "two-days")
    drop_release(settings, second.name)
    would_go = maintenance.vacuum(settings, DAILY, 0, dry_run=True)
    vacuum_all(settings)
    assert would_go
    with pytest.raises(ReleaseGone, match=f"{second.name} is gone"):
        house.read_table(DAILY, release=second.name)
    with pytest.raises(VersionGone):
        house.read_table(DAILY, version=second.versions[DAILY])
    assert house.read_table(DAILY, release="two-days").count() == 2


def test_vacuum_lets_go_of_expired_releases_first(lake_of_two: Lake) -> None:
    options = lake_of_two.settings.releases.model_copy(update={"keep": 1, "keep_days": 0})
    settings = lake_of_two.settings.model_copy(update={"releases": options})
    maintenance.vacuum(settings, DAILY, dry_run=True)
    assert len(kept_releases(settings)) == 3
    maintenance.vacuum(settings, DAILY)
    assert [release.kind for release in kept_releases(settings)] == ["build", "named"]


def test_vacuum_spares_what_a_refusal_would_go_back_to(lake_of_two: Lake) -> None:
    settings, before = lake_of_two.settings, present(lake_of_two)[ENRICHED]
    version = table(lake_of_two, ENRICHED).version()
    lake_of_two.land(third_day().with_columns(volume=9.0), provider="kraken")
    write_stage(lake_of_two.session, settings, recorder(lake_of_two), stages()[0])
    for release in kept_releases(settings)[1:]:
        drop_release(settings, release.name)
    vacuum_all(settings)
    found = table(lake_of_two, ENRICHED, version).to_pyarrow_table()
    assert found.num_rows == before.height


def test_every_table_keeps_its_log(built_twice: Lake) -> None:
    for name in tables_on_disk(built_twice.settings):
        configuration = table(built_twice, name).metadata().configuration
        assert KEPT.items() <= configuration.items(), name


def test_a_table_from_before_is_told_to_keep_its_log_once(tmp_path: Path) -> None:
    write_deltalake(str(tmp_path), pa.table({"n": [1]}))
    keep_log(tmp_path)
    keep_log(tmp_path)
    assert DeltaTable(str(tmp_path)).metadata().configuration == KEPT
    assert DeltaTable(str(tmp_path)).version() == 1


def grown(path: Path, commits: int, days_ago: int = 100) -> None:
    """A table that got a number with each commit, long ago; checkpoints are at 9, 19, 29, …"""
    configuration = {**KEPT, "delta.checkpointInterval": "10"}
    for number in range(commits):
        rows = pa.table({"n": [number]})
        write_deltalake(str(path), rows, mode="append", configuration=configuration)
    for file in (path / "_delta_log").iterdir():
        os.utime(file, (time.time() - days_ago * 86_400,) * 2)


def entries(path: Path) -> list[str]:
    return sorted(file.name for file in (path / "_delta_log").glob("0*"))


def numbers(path: Path, version: int) -> int:
    return DeltaTable(str(path), version=version).to_pyarrow_table().num_rows


def test_delta_itself_leaves_old_entries(tmp_path: Path) -> None:
    grown(tmp_path, 12)
    for _ in range(12):
        write_deltalake(str(tmp_path), pa.table({"n": [0]}), mode="append")
    assert numbers(tmp_path, 0) == 1


def test_the_log_is_cleaned_up_to_what_is_needed(tmp_path: Path) -> None:
    grown(tmp_path, 35)
    before = entries(tmp_path)
    assert clean_log(tmp_path, [27], ops.now()) == 20
    assert len(entries(tmp_path)) == len(before) - 20
    assert [numbers(tmp_path, version) for version in (19, 27, 34)] == [20, 28, 35]
    assert clean_log(tmp_path, [27], ops.now()) == 0


def test_the_log_keeps_what_is_younger_than_the_retention(tmp_path: Path) -> None:
    grown(tmp_path, 35)
    log = tmp_path / "_delta_log"
    for version in range(15, 35):
        os.utime(log / f"{version:020d}.json")
    assert clean_log(tmp_path, [30], A_DAY_AGO) == 9
    assert numbers(tmp_path, 14) == 15


def test_a_log_without_a_checkpoint_to_begin_from_is_left(tmp_path: Path) -> None:
    grown(tmp_path, 9)
    assert clean_log(tmp_path, [], ops.now()) == 0
    grown(tmp_path, 3)
    assert clean_log(tmp_path, [8], ops.now()) == 0


def test_both_engines_read_what_a_cleaned_log_still_tells(
    session: SparkSession, tmp_path: Path
) -> None:
    grown(tmp_path, 25)
    assert clean_log(tmp_path, [22], ops.now()) == 20
    schema = f"cleaned_{type(session).__module__.rsplit('.', 1)[-1]}_{os.getpid()}"
    session.sql(f"CREATE SCHEMA IF NOT EXISTS {schema} LOCATION '{tmp_path}/schema'")
    session.sql(f"CREATE TABLE {schema}.numbers USING delta LOCATION '{tmp_path}'")
    for version in (19, 22, 24):
        read = session.sql(f"SELECT * FROM {schema}.numbers VERSION AS OF {version}")
        assert read.count() == version + 1
    session.sql(f"DROP SCHEMA {schema} CASCADE")


def test_vacuum_cleans_the_log_but_for_what_releases_and_builds_need(settings: Settings) -> None:
    bronze = bronze_table("1h")
    for name in (DAILY, bronze.full_name):
        grown(settings.lake.joinpath(*name.split(".")), 45)
    record(settings, release_of(version=32, bronze_version=12))
    vacuum_all(settings)
    daily, hourly = (settings.lake.joinpath(*name.split(".")) for name in (DAILY, bronze.full_name))
    assert entries(daily)[0].startswith(f"{29:020d}")
    assert numbers(daily, 32) == 33
    assert entries(hourly)[0].startswith(f"{9:020d}")
    assert numbers(hourly, 12) == 13
    assert time_travel.resolve_version(settings, DAILY, None, None, "first") == 32


def release_of(version: int, bronze_version: int) -> Release:
    return Release(
        name="first",
        kind="named",
        created_at=NOW,
        dropped_at=None,
        versions={DAILY: version},
        rows={DAILY: version + 1},
        bronze_versions={DAILY: f'{{"1h": {bronze_version}}}'},
        built_at={DAILY: NOW},
    )
