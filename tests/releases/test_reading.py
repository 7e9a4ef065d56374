"""Reading by release: all tables as they were together."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lakehouse import Lakehouse, time_travel
from lakehouse.errors import InvalidQuery, NotInRelease, UnknownRelease, VersionGone
from lakehouse.releases import find_release
from tests.builds.lakes import DAILY, TECHNICAL, Lake
from tests.releases.lakes import BUILT
from tests.releases.test_rollback import lose


def test_every_table_is_read_as_it_is_in_a_release(built_twice: Lake) -> None:
    house = Lakehouse(built_twice.settings, built_twice.session)
    for name in ("two-days", "latest"):
        release = find_release(built_twice.settings, name)
        for table in BUILT:
            assert house.read_table(table, release=name).count() == release.rows[table]


def test_one_of_version_time_and_release_is_given(built_twice: Lake) -> None:
    house = Lakehouse(built_twice.settings, built_twice.session)
    with pytest.raises(InvalidQuery, match="name one of them"):
        house.read_table(DAILY, version=0, release="latest")
    with pytest.raises(InvalidQuery, match="name one of them"):
        house.read_table(DAILY, version=0, as_of_timestamp=datetime.now(UTC))


def test_what_is_in_no_release_says_so(built_twice: Lake) -> None:
    house = Lakehouse(built_twice.settings, built_twice.session)
    with pytest.raises(NotInRelease, match=r"bronze\.raw_market_data_1h is not in release"):
        house.read_table("bronze.raw_market_data_1h", release="latest")
    with pytest.raises(UnknownRelease, match="no release christmas"):
        house.read_table(DAILY, release="christmas")


def test_a_setting_makes_reads_consistent(built_twice: Lake) -> None:
    def version(read: str | None, name: str, number: int | None = None) -> int | None:
        options = built_twice.settings.releases.model_copy(update={"read": read})
        settings = built_twice.settings.model_copy(update={"releases": options})
        return time_travel.resolve_version(settings, name, number, None)

    early, late = (find_release(built_twice.settings, name) for name in ("two-days", "latest"))
    assert version("two-days", DAILY) == early.versions[DAILY]
    assert version("latest", TECHNICAL) == late.versions[TECHNICAL]
    assert version("two-days", "bronze.raw_market_data_1h") is None
    assert version("two-days", DAILY, number=0) == 0
    assert version(None, DAILY) is None


def test_a_release_whose_file_somebody_removed_says_what_is_left(lake_of_two: Lake) -> None:
    release = find_release(lake_of_two.settings, "two-days")
    lose(lake_of_two, DAILY, release.versions[DAILY])
    with pytest.raises(VersionGone, match=r"is gone \(vacuumed\)\. Readable: \d"):
        time_travel.resolve_version(lake_of_two.settings, DAILY, None, None, "two-days")
