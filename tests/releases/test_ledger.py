"""Which releases are kept, and what is said of those that are not. No table is needed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lakehouse import ops
from lakehouse.errors import LatestIsKept, NotInRelease, ReleaseGone, UnknownRelease
from lakehouse.releases import (
    Release,
    all_releases,
    default_release,
    drop,
    expire,
    expired,
    find_release,
    kept_releases,
    kept_versions,
    latest_release,
    record,
)
from lakehouse.settings import Settings
from tests.builds.lakes import DAILY, ENRICHED

NOW = datetime.now(UTC)


def release(name: str, days_ago: float, kind: str = "build", version: int = 1) -> Release:
    return Release(
        name=name,
        kind=kind,
        created_at=NOW - timedelta(days=days_ago),
        dropped_at=None,
        versions={ENRICHED: version, DAILY: version + 1},
        rows={ENRICHED: 10, DAILY: 1},
        bronze_versions={ENRICHED: '{"1h": 3}', DAILY: '{"1h": 3}'},
        built_at={ENRICHED: NOW, DAILY: NOW},
    )


def keeping(settings: Settings, keep: int, days: float) -> Settings:
    options = settings.releases.model_copy(update={"keep": keep, "keep_days": days})
    return settings.model_copy(update={"releases": options})


def names(releases: list[Release]) -> list[str]:
    return [release.name for release in releases]


@pytest.fixture
def ledger(settings: Settings) -> Settings:
    """Releases of 50, 40, 30 and 0 days ago, one of them named, one a rollback."""
    record(settings, release("oldest", 50, "build", 1))
    record(settings, release("named", 40, "named", 5))
    record(settings, release("back", 30, "rollback", 7))
    record(settings, release("newest", 0, "build", 9))
    return settings


def test_a_release_is_read_as_it_was_recorded_in_one_commit(settings: Settings) -> None:
    assert (all_releases(settings), latest_release(settings)) == ([], None)
    wanted = release("first", 0)
    record(settings, wanted)
    assert find_release(settings, "first") == find_release(settings, "latest") == wanted
    assert ops.query(settings, "ops.releases", "SELECT count(*) AS n FROM rows") == [{"n": 2}]


def test_the_newest_are_listed_first(ledger: Settings) -> None:
    assert names(kept_releases(ledger)) == ["newest", "back", "named", "oldest"]
    assert kept_versions(ledger, ENRICHED) == [1, 5, 7, 9]


def test_an_unknown_release_is_none(ledger: Settings) -> None:
    for name in ("nothing", ""):
        with pytest.raises(UnknownRelease, match="lakehouse release list"):
            find_release(ledger, name)


def test_before_the_first_there_is_no_latest(settings: Settings) -> None:
    with pytest.raises(UnknownRelease, match="no release latest"):
        find_release(settings, "latest")


def test_a_table_that_is_not_in_a_release_is_answered_with_those_that_are(ledger: Settings) -> None:
    with pytest.raises(NotInRelease, match=r"bronze\.x is not in release named, which holds gold"):
        find_release(ledger, "named").version_of("bronze.x")


def test_the_newest_of_builds_and_the_named_are_kept(ledger: Settings) -> None:
    few = keeping(ledger, keep=2, days=0)
    assert names(expire(few)) == ["oldest"]
    assert names(kept_releases(ledger)) == ["newest", "back", "named"]
    assert names(all_releases(ledger)) == ["newest", "back", "named", "oldest"]
    assert expire(few) == []


def test_the_young_are_kept_however_many(ledger: Settings) -> None:
    assert names(expired(keeping(ledger, keep=1, days=35))) == ["oldest"]
    assert names(expired(keeping(ledger, keep=1, days=20))) == ["back", "oldest"]
    assert expired(keeping(ledger, keep=1, days=51)) == []


def test_the_latest_is_kept_whatever_the_settings_say(settings: Settings) -> None:
    record(settings, release("old", 100))
    record(settings, release("newer", 90))
    strict = keeping(settings, keep=1, days=0)
    assert names(expire(strict)) == ["old"]
    with pytest.raises(LatestIsKept, match="newer is the latest one"):
        drop(settings, "newer")
    with pytest.raises(LatestIsKept):
        drop(settings, "latest")
    assert names(kept_releases(settings)) == ["newer"]


def test_a_dropped_release_says_that_it_is_gone_and_what_is_kept(ledger: Settings) -> None:
    version = ops.query(ledger, "ops.releases", "SELECT count(*) AS n FROM rows")
    drop(ledger, "named")
    with pytest.raises(ReleaseGone, match=r"named is gone.*Kept: newest, back, oldest\."):
        find_release(ledger, "named")
    with pytest.raises(ReleaseGone):
        drop(ledger, "named")
    assert kept_versions(ledger, DAILY) == [2, 8, 10]
    assert ops.query(ledger, "ops.releases", "SELECT count(*) AS n FROM rows") == version


def test_reads_that_name_nothing_mean_what_the_setting_says(settings: Settings) -> None:
    consistent = settings.model_copy(
        update={"releases": settings.releases.model_copy(update={"read": "latest"})}
    )
    assert default_release(consistent, DAILY) == "latest"
    # What streams and landings write is in no release.
    for table in ("bronze.raw_market_data_1h", "silver.trade_aggregates", "ops.runs"):
        assert default_release(consistent, table) is None
    assert default_release(settings, DAILY) is None
