"""When releases are made, what they pin, and when there is nothing to release."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lakehouse import delta, maintenance, ops
from lakehouse.builds import gate_stage, is_behind, is_stage_gated, write_stage
from lakehouse.builds.states import begin, table_states
from lakehouse.errors import InvalidReleaseName, NothingToRelease, ReleaseExists
from lakehouse.releases import all_releases, latest_release
from lakehouse.tables import built_tables, stages
from tests.builds.lakes import DAILY, Lake, NewLake
from tests.releases.lakes import (
    are_same,
    create,
    kinds,
    present,
    recorder,
    rows,
    third_day,
    two_days,
    versions,
)


def test_a_build_is_released_with_the_version_of_every_table(built_twice: Lake) -> None:
    latest = latest_release(built_twice.settings)
    assert latest is not None
    assert latest.kind == "build"
    assert latest.versions == versions(built_twice)
    assert latest.rows == {name: frame.height for name, frame in present(built_twice).items()}
    assert kinds(built_twice) == ["build", "named", "build"]


def test_each_release_holds_what_was_built_then(built_twice: Lake) -> None:
    newest, named, first = all_releases(built_twice.settings)
    assert named.versions == first.versions
    assert are_same(rows(built_twice, newest), present(built_twice))
    assert rows(built_twice, named)[DAILY].height == 2
    assert rows(built_twice, newest)[DAILY].height == 3


def test_without_news_nothing_is_released(lake_of_two: Lake) -> None:
    for name in versions(lake_of_two):
        maintenance.optimize(lake_of_two.settings, name)
    assert not is_behind(lake_of_two.settings)
    lake_of_two.build()
    assert kinds(lake_of_two) == ["build", "named", "build"]


def test_rows_that_were_mended_are_released(lake_of_two: Lake) -> None:
    daily = lake_of_two.session.table(DAILY)
    mended = daily.limit(1).withColumn("volume", daily["volume"] + 1)
    delta.upsert(
        lake_of_two.session.createDataFrame(mended.toArrow()), DAILY, ["asset_pair", "date"]
    )
    assert is_behind(lake_of_two.settings)
    lake_of_two.build()
    assert kinds(lake_of_two) == ["build", "build", "named", "build"]
    latest = latest_release(lake_of_two.settings)
    assert latest is not None
    assert are_same(rows(lake_of_two, latest), present(lake_of_two))
    assert not is_behind(lake_of_two.settings)


def test_a_lake_from_before_releases_gets_its_first(lake_of_two: Lake) -> None:
    shutil.rmtree(lake_of_two.settings.lake / "ops" / "releases")
    assert is_behind(lake_of_two.settings)
    before = versions(lake_of_two)
    lake_of_two.build()
    latest = latest_release(lake_of_two.settings)
    assert latest is not None
    assert latest.versions == before


def test_a_name_is_given_once(lake_of_two: Lake) -> None:
    with pytest.raises(ReleaseExists, match="There is a release two-days already"):
        create(lake_of_two, "two-days")
    assert create(lake_of_two, "three-days").versions == versions(lake_of_two)
    assert create(lake_of_two).name != create(lake_of_two).name


@pytest.mark.parametrize("name", ["latest", "a b", "", "../x", "-f"])
def test_a_name_that_cannot_be_typed_or_means_another_is_refused(
    built_twice: Lake, name: str
) -> None:
    with pytest.raises(InvalidReleaseName):
        create(built_twice, name)


def test_tables_that_do_not_belong_together_are_not_released(
    new_lake: NewLake, built_twice: Lake, tmp_path: Path
) -> None:
    empty = new_lake(tmp_path / "empty")
    with pytest.raises(NothingToRelease, match="has not been built"):
        create(empty)
    lake = new_lake(built_twice.copied_to(tmp_path / "copy"))
    late = third_day().filter(timeframe="1h").head(1)
    lake.land(late.with_columns(volume=7.0), provider="kraken")
    stage = stages()[0]
    write_stage(lake.session, lake.settings, recorder(lake), stage)
    with pytest.raises(NothingToRelease, match="holds rows that wait for their gate"):
        create(lake, "too-early")
    gate_stage(lake.session, lake.settings, recorder(lake), stage)
    with pytest.raises(NothingToRelease, match="lacks candles that other tables have taken in"):
        create(lake, "too-early")
    assert kinds(lake) == ["build", "named", "build"]


def test_what_a_killed_build_left_half_written_is_not_released(lake_of_two: Lake) -> None:
    settings = lake_of_two.settings
    begin(settings, built_tables(), table_states(settings), "build-killed", ops.now())
    with pytest.raises(NothingToRelease, match="holds part of what a build that was killed wrote"):
        create(lake_of_two)
    assert kinds(lake_of_two) == ["build", "named", "build"]


def test_the_last_gate_of_a_build_in_steps_releases_it(new_lake: NewLake, tmp_path: Path) -> None:
    lake = new_lake(tmp_path / "lake")
    lake.land(two_days())
    for stage in stages():
        assert kinds(lake) == []
        write_stage(lake.session, lake.settings, recorder(lake), stage)
        assert not is_stage_gated(lake.settings, stage)
        gate_stage(lake.session, lake.settings, recorder(lake), stage)
    assert kinds(lake) == ["build"]
    assert all(is_stage_gated(lake.settings, stage) for stage in stages())
    # Who was killed just before it leaves it to the next.
    shutil.rmtree(lake.settings.lake / "ops" / "releases")
    assert not is_stage_gated(lake.settings, stages()[-1])
    gate_stage(lake.session, lake.settings, recorder(lake), stages()[-1])
    assert kinds(lake) == ["build"]
