"""A lake on Sail is backed up, lost, restored elsewhere, and goes on as if nothing had happened."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.lakes import BUILT, Lake, new_lake, same

pytestmark = pytest.mark.e2e

WHAT = ("--assets", "BTCUSD", "--timeframes", "1h,1d")
TWO_DAYS = (*WHAT, "--from", "2026-01-05", "--to", "2026-01-07")
NEXT_DAY = (*WHAT, "--from", "2026-01-07", "--to", "2026-01-08")
GOLD = "gold.mart_daily_metrics"
DAILY = f"select asset_pair, date, close, candle_count from {GOLD} order by date"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """Two days, backed up; then a third, and backed up again, whole and its latest release."""
    with new_lake(tmp_path_factory.mktemp("journey") / "lake") as lake:
        lake.backfill(*TWO_DAYS)
        asked(lake, "backup", "create")
        lake.backfill(*NEXT_DAY)
        asked(lake, "backup", "create")
        asked(lake, "backup", "create", "--release", "latest")
        yield lake


@pytest.fixture(scope="module")
def restored(original: Lake) -> Iterator[Lake]:
    """The lake of two days, somewhere else."""
    root = original.root.with_name("restored")
    (report,) = asked(original, "backup", "restore", backups(original)[-1], "--to", str(root))
    assert all(table["is_same"] for table in report["tables"])
    with new_lake(root) as lake:
        yield lake


def asked(lake: Lake, *arguments: str) -> list[dict[str, Any]]:
    ran = lake.run(*arguments, "--json")
    assert ran.code == 0, (ran.code, ran.err, ran.out)
    found: list[dict[str, Any]] = ran.json
    return found


def backups(lake: Lake) -> list[str]:
    """Ids, newest first."""
    return [str(row["backup"]) for row in asked(lake, "backup", "list")]


def query(lake: Lake, sql: str) -> str:
    ran = lake.run("sql", sql, "--format", "csv")
    assert ran.code == 0, ran.err
    return ran.out


def facts(lake: Lake, name: str, *circumstances: str) -> list[dict[str, object]]:
    """Rows of one of the lakehouse's own records."""
    rows = lake.frame(name).drop(*circumstances, strict=False)
    return rows.sort(rows.columns).to_dicts()


def test_the_second_backup_copied_less_than_it_holds(original: Lake) -> None:
    release, second, first = asked(original, "backup", "list")
    assert (first["kind"], second["kind"], release["kind"]) == ("lake", "lake", "release")
    assert release["release"]
    (created,) = asked(original, "backup", "create")
    assert (created["files_copied"], created["files_present"]) == (0, second["files"])
    (verified,) = asked(original, "backup", "verify")
    assert verified["backup"] == created["backup"]


def test_a_restored_lake_goes_on_as_the_original_did(original: Lake, restored: Lake) -> None:
    assert query(restored, DAILY).count("BTCUSD") == 2
    (row,) = asked(restored, "release", "list")
    assert row["release"] in {row["release"] for row in asked(original, "release", "list")}
    before = query(restored, DAILY)
    restored.backfill(*NEXT_DAY)
    assert same(restored, original) == []
    assert restored.versions() == original.versions()
    assert query(restored, DAILY) == query(original, DAILY)
    # What it was before is still to be read, by version and by release.
    assert query(restored, f"{DAILY.replace(GOLD, f'{GOLD} VERSION AS OF 0')}") == before
    ran = restored.run("read", GOLD, "--release", str(row["release"]), "--format", "csv")
    assert ran.out.count("BTCUSD") == 2, ran.err
    for name in ("ops.gaps", "ops.coverage"):
        assert facts(restored, name, "recorded_at", "updated_at") == facts(
            original, name, "recorded_at", "updated_at"
        )
    assert [row["status"] for row in facts(restored, "ops.progress")] == [
        row["status"] for row in facts(original, "ops.progress")
    ]


def test_what_has_landed_before_the_backup_is_not_fetched_again(restored: Lake) -> None:
    assert restored.backfill(*TWO_DAYS)["rows_fetched"] == 0


def test_a_release_is_restored_to_be_read(original: Lake, tmp_path: Path) -> None:
    of_release = next(
        str(row["backup"]) for row in asked(original, "backup", "list") if row["kind"] == "release"
    )
    asked(original, "backup", "restore", of_release, "--to", str(tmp_path / "release"))
    with new_lake(tmp_path / "release") as lake:
        assert query(lake, DAILY) == query(original, DAILY)
        assert same(lake, original, BUILT) == []
