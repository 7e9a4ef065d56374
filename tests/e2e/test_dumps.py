"""Files instead of an exchange: dumps and exports, their bad rows, and files that are none."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.lakes import BRONZE, Lake, new_lake

pytestmark = pytest.mark.e2e

START = datetime(2026, 1, 1, tzinfo=UTC)
MINUTES = 600
HOURS = 48


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    with new_lake(tmp_path_factory.mktemp("dumps") / "lake") as lake:
        yield lake


@pytest.fixture(scope="module")
def dumps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zipped dump as Binance publishes them, with a broken row, and an export with a header."""
    folder = tmp_path_factory.mktemp("files")
    rows = [dump_row(minute) for minute in range(MINUTES)]
    rows[5] = rows[5].replace(",101.0,", ",98.0,")  # a high below the low
    with zipfile.ZipFile(folder / "BTCUSDT-1m-2026-01.zip", "w") as archive:
        archive.writestr("BTCUSDT-1m-2026-01.csv", "\n".join(rows))
    (folder / "ETHUSD-1h.csv").write_text(
        "date,open,high,low,close,volume\n"
        + "\n".join(
            f"{START + timedelta(hours=n):%Y-%m-%d %H:%M},10,11,9,10.5,3" for n in range(HOURS)
        )
    )
    return folder


def dump_row(minute: int) -> str:
    opens = int((START + timedelta(minutes=minute)).timestamp() * 1_000_000)
    closes = opens + 59_999_999
    return f"{opens},100.0,101.0,99.0,100.5,7.0,{closes},703.5,12,3.5,351.7,0"


def test_files_land_once_and_their_bad_rows_become_dead_letters(lake: Lake, dumps: Path) -> None:
    first = lake.backfill("--files", f"{dumps}/*-1*")
    assert (first["rows_fetched"], first["rows_rejected"]) == (MINUTES + HOURS, 1)
    assert first["rows_new"] == MINUTES - 1 + HOURS
    assert lake.frame(BRONZE[0]).height == MINUTES - 1
    (bad,) = lake.rejected()
    assert (bad["high"], bad["low"]) == (98.0, 99.0)
    assert "high < low" in bad["reason"].split("; ")
    assert Path(bad["source"]).name == "BTCUSDT-1m-2026-01.zip"
    assert lake.frame("silver.market_data_enriched").height == MINUTES - 1 + HOURS

    before = lake.versions()
    again = lake.backfill("--files", f"{dumps}/*-1*")
    assert again["rows_new"] == 0
    assert lake.versions() == before
    assert len(lake.rejected()) == 1


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("notes.txt", "hello", "name does not say"),
        ("BTCUSDT-1m-2026-02.csv", "1,2\n", "columns"),
        ("BTCUSDT-1m-2026-03.zip", "this is no zip", "BTCUSDT-1m-2026-03.zip"),
        ("ABCXYZ-1m-2026-02.csv", "1,2,3,4,5,6\n", "ABCXYZ"),
        ("none/*.csv", None, "No file matches"),
    ],
)
def test_a_wrong_file_is_named_in_one_line(
    lake: Lake, tmp_path: Path, name: str, content: str | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    ran = lake.run("backfill", "--files", str(tmp_path / name))
    assert ran.code in (1, 2), ran
    assert len(ran.err.strip().splitlines()) == 1, ran.err
    assert message in ran.err
    assert "Traceback" not in ran.err
