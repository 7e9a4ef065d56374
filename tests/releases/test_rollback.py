"""Rolling back: all tables or none, released anew, and truthful about what bronze has since."""

from __future__ import annotations

import json
import time

import polars as pl
import pytest

from lakehouse import maintenance, ops
from lakehouse.builds import drop_release, is_behind, is_stage_gated, is_stage_up_to_date
from lakehouse.builds.arrivals import bronze_versions
from lakehouse.builds.states import note_each, table_states
from lakehouse.errors import ReleaseGone, RollbackFailed, UnknownRelease
from lakehouse.releases import find_release, latest_release
from lakehouse.tables import stages, table_named
from tests.builds.lakes import DAILY, ENRICHED, TECHNICAL, Lake, assert_same
from tests.releases.lakes import (
    BUILT,
    are_same,
    create,
    go_back,
    kinds,
    present,
    rows,
    table,
    versions,
)


@pytest.fixture(scope="session")
def wanted(built_twice: Lake) -> dict[str, pl.DataFrame]:
    """Rows of `built_twice`, by table, without when they were written."""
    return {name: built_twice.values(name) for name in BUILT}


def lose(lake: Lake, name: str, version: int) -> None:
    """Delete the files of a version that the present one, compacted, does not share."""
    maintenance.optimize(lake.settings, name)
    only_old = set(table(lake, name, version).file_uris()) - set(table(lake, name).file_uris())
    assert only_old
    for uri in only_old:
        table_named(name).path(lake.settings.lake).joinpath(uri.rsplit("/", 1)[-1]).unlink()


def forbid_writing(lake: Lake, name: str) -> None:
    """Have a newer software's feature demanded of whoever writes to the table."""
    found = table(lake, name)
    log = table_named(name).path(lake.settings.lake) / "_delta_log"
    protocol = {"minReaderVersion": 1, "minWriterVersion": 7, "writerFeatures": ["ofTomorrow"]}
    info = {"timestamp": int(time.time() * 1000), "operation": "UPGRADE PROTOCOL"}
    actions = [{"commitInfo": info}, {"protocol": protocol}]
    text = "".join(json.dumps(action) + "\n" for action in actions)
    (log / f"{found.version() + 1:020d}.json").write_text(text)


def test_every_table_is_what_it_was_and_that_is_a_release_of_its_own(lake_of_two: Lake) -> None:
    wanted = rows(lake_of_two, find_release(lake_of_two.settings, "two-days"))
    before, bronze = versions(lake_of_two), bronze_versions(lake_of_two.settings)
    made = go_back(lake_of_two, "two-days")
    assert are_same(present(lake_of_two), wanted)
    assert made == latest_release(lake_of_two.settings)
    assert made.kind == "rollback"
    assert made.versions == versions(lake_of_two)
    assert all(made.versions[name] > before[name] for name in (ENRICHED, DAILY, TECHNICAL))
    assert bronze_versions(lake_of_two.settings) == bronze
    assert kinds(lake_of_two) == ["rollback", "build", "named", "build"]


def test_the_next_build_takes_in_what_came_since(
    lake_of_two: Lake, wanted: dict[str, pl.DataFrame]
) -> None:
    go_back(lake_of_two, "two-days")
    assert is_behind(lake_of_two.settings)
    assert not is_stage_up_to_date(lake_of_two.settings, stages()[0])
    assert lake_of_two.build().arrivals
    for name in BUILT:
        assert_same(lake_of_two.values(name), wanted[name])
    assert kinds(lake_of_two)[:2] == ["build", "rollback"]


def test_a_table_that_has_not_changed_is_left_alone(lake_of_two: Lake) -> None:
    before = versions(lake_of_two)
    assert go_back(lake_of_two, "latest").versions == before


def test_a_release_that_is_not_kept_is_not_gone_back_to(lake_of_two: Lake) -> None:
    drop_release(lake_of_two.settings, "two-days")
    with pytest.raises(ReleaseGone):
        go_back(lake_of_two, "two-days")
    with pytest.raises(UnknownRelease):
        go_back(lake_of_two, "one-day")


def test_a_release_that_lost_a_file_touches_nothing(lake_of_two: Lake) -> None:
    version = find_release(lake_of_two.settings, "two-days").versions[DAILY]
    lose(lake_of_two, DAILY, version)
    before = versions(lake_of_two)
    with pytest.raises(RollbackFailed, match=rf"version {version} of {DAILY} cannot be read"):
        go_back(lake_of_two, "two-days")
    assert versions(lake_of_two) == before
    assert not is_behind(lake_of_two.settings)


def test_an_error_in_the_middle_puts_all_tables_back(lake_of_two: Lake) -> None:
    # Gold goes first: by the time that this one refuses, others have gone.
    forbid_writing(lake_of_two, ENRICHED)
    before, states = present(lake_of_two), table_states(lake_of_two.settings)
    latest, had = latest_release(lake_of_two.settings), versions(lake_of_two)
    with pytest.raises(RollbackFailed, match=r"two-days failed: .*ofTomorrow"):
        go_back(lake_of_two, "two-days")
    assert are_same(present(lake_of_two), before)
    assert versions(lake_of_two)[DAILY] == had[DAILY] + 2
    assert table_states(lake_of_two.settings) == states
    assert latest_release(lake_of_two.settings) == latest
    assert not is_behind(lake_of_two.settings)


def test_a_rollback_that_was_killed_is_finished_by_whoever_comes_next(lake_of_two: Lake) -> None:
    begin(lake_of_two)
    assert is_behind(lake_of_two.settings)
    assert not any(is_stage_gated(lake_of_two.settings, stage) for stage in stages())
    assert not any(is_stage_up_to_date(lake_of_two.settings, stage) for stage in stages())
    made = create(lake_of_two, "after")
    target = find_release(lake_of_two.settings, "two-days")
    assert kinds(lake_of_two) == ["named", "rollback", "build", "named", "build"]
    assert are_same(rows(lake_of_two, made), rows(lake_of_two, target))
    states = table_states(lake_of_two.settings)
    assert {n: json.dumps(s.gated) for n, s in states.items()} == target.bronze_versions


def test_one_that_cannot_be_finished_is_built_anew(
    lake_of_two: Lake, wanted: dict[str, pl.DataFrame]
) -> None:
    maintenance.optimize(lake_of_two.settings, DAILY)
    create(lake_of_two, "compacted")
    begin(lake_of_two)
    lose(lake_of_two, DAILY, find_release(lake_of_two.settings, "two-days").versions[DAILY])
    lake_of_two.build()
    for name in BUILT:
        assert_same(lake_of_two.values(name), wanted[name])
    assert kinds(lake_of_two)[0] == "build"


def begin(lake: Lake) -> None:
    """Leave what a rollback to `two-days` leaves that is killed before its first table."""
    target = find_release(lake.settings, "two-days")
    goals = {
        name: (json.loads(target.bronze_versions[name]), target.built_at[name], version)
        for name, version in target.versions.items()
    }
    note_each(lake.settings, "rolling_back", f"rollback-{ops.now():%Y%m%dT%H%M%SZ}", goals)
