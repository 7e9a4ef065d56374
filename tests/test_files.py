import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from pyspark.sql import SparkSession

from lakehouse.errors import NoFiles, UnknownAsset, UnknownTimeframe, UnreadableFile
from lakehouse.file_backfill import describe
from lakehouse.files import candle_frame, named_in, read_candles
from lakehouse.settings import Settings

START = datetime(2026, 1, 1, tzinfo=UTC)


def binance_line(minute: int, scale: int = 1000, **changes: str) -> str:
    opened = int((START + timedelta(minutes=minute)).timestamp()) * scale
    fields = {"open": "1.5", "high": "2", "low": "1", "close": "1.75", "volume": "10", **changes}
    return ",".join(
        [str(opened), *fields.values(), str(opened + 59_999), "17", "42", "5", "8", "0"]
    )


def dump(folder: Path, name: str, lines: list[str]) -> Path:
    path = folder / name
    if name.endswith(".zip"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name.replace(".zip", ".csv"), "\n".join(lines) + "\n")
    else:
        path.write_text("\n".join(lines) + "\n")
    return path


def read(path: Path) -> list[dict]:
    return pl.concat(read_candles(path)).to_dicts()


@pytest.mark.parametrize("scale", [1_000, 1_000_000], ids=["milliseconds", "microseconds"])
@pytest.mark.parametrize("name", ["BTCUSDT-1m-2026-01.csv", "BTCUSDT-1m-2026-01.zip"])
def test_a_binance_dump_is_read(tmp_path: Path, name: str, scale: int) -> None:
    rows = read(dump(tmp_path, name, [binance_line(0, scale), binance_line(1, scale)]))
    assert [row["timestamp"] for row in rows] == [datetime(2026, 1, 1), datetime(2026, 1, 1, 0, 1)]  # noqa: DTZ001 - UTC by contract, as Spark has it
    assert rows[0] | {"timestamp": None} == {
        "timestamp": None,
        "open": 1.5,
        "high": 2.0,
        "low": 1.0,
        "close": 1.75,
        "volume": 10.0,
        "raw": None,
    }


@pytest.mark.parametrize("time_name", ["timestamp", "date", "open_time"])
@pytest.mark.parametrize("kind", ["csv", "parquet", "feather"])
def test_a_file_with_a_header_is_read(tmp_path: Path, kind: str, time_name: str) -> None:
    frame = pl.DataFrame(
        {
            time_name: [START, START + timedelta(minutes=1)],
            "open": [1.0, 2],
            "high": [1.0, 2],
            "low": [1.0, 2],
            "close": [1.0, 2],
            "volume": [1.0, 2],
        }
    )
    path = tmp_path / f"candles.{kind}"
    write = {"csv": frame.write_csv, "parquet": frame.write_parquet, "feather": frame.write_ipc}
    write[kind](path)
    rows = read(path)
    assert [row["timestamp"].minute for row in rows] == [0, 1]
    assert [row["close"] for row in rows] == [1.0, 2.0]


def test_a_field_that_does_not_parse_is_null_and_its_row_is_kept(
    tmp_path: Path,
) -> None:
    lines = [binance_line(0), binance_line(1, high="n/a")]
    good, bad = read(dump(tmp_path, "BTCUSDT-1m-2026-01.csv", lines))
    assert (good["raw"], bad["high"]) == (None, None)
    assert '"high": "n/a"' in bad["raw"]


def test_an_ambiguous_date_is_not_guessed(tmp_path: Path) -> None:
    lines = ["date,open,high,low,close,volume", "01/03/2017,1,1,1,1,1", "2017-03-01,1,1,1,1,1"]
    rows = read(dump(tmp_path, "x.csv", lines))
    assert [row["timestamp"] for row in rows] == [None, datetime(2017, 3, 1)]  # noqa: DTZ001


@pytest.mark.parametrize(
    ("name", "lines", "problem"),
    [
        ("x.csv", ["date,open,high,low,close", "2026-01-01,1,1,1,1"], "it lacks volume"),
        ("x.csv", ["when,open,high,low,close,volume"], "it lacks a time column"),
        ("x.csv", ["1767225600000,1,2"], "no header and 3 columns"),
        ("x.csv", [""], "it is empty"),
        ("x.parquet", ["not parquet"], "cannot be landed"),
        ("x.txt", ["hello"], "its kind is not known"),
    ],
)
def test_a_file_of_another_shape_is_named_with_the_reason(
    tmp_path: Path, name: str, lines: list[str], problem: str
) -> None:
    with pytest.raises(UnreadableFile, match=problem):
        read(dump(tmp_path, name, lines))


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("BTCUSDT-1m-2026-01.zip", ("BTCUSDT", "1m")),
        ("ETHUSDT-1h-2026-01-15.csv", ("ETHUSDT", "1h")),
        ("ETH_BTC-5m.feather", ("ETHBTC", "5m")),
        ("candles.csv", (None, None)),
    ],
)
def test_asset_and_timeframe_come_from_the_name(name: str, meaning: tuple) -> None:
    assert named_in(name) == meaning


def test_flags_name_what_the_file_name_does_not(tmp_path: Path, settings: Settings) -> None:
    dump(tmp_path, "BTCUSDT-1m-2026-01.csv", [binance_line(0)])
    dump(tmp_path, "candles.csv", ["date,open,high,low,close,volume"])
    pattern = str(tmp_path / "*.csv")
    named = describe(settings, pattern, ["BTCUSD"], ["1m"])
    assert [(f.asset_pair, f.timeframe) for f in named] == [("BTCUSD", "1m")] * 2
    with pytest.raises(UnreadableFile, match="name it with --assets"):
        describe(settings, pattern)


def test_wrong_names_are_found_before_anything_is_read(tmp_path: Path, settings: Settings) -> None:
    dump(tmp_path, "BTCUSDT-1m-2026-01.csv", [binance_line(0)])
    with pytest.raises(NoFiles, match="No file matches"):
        describe(settings, str(tmp_path / "*.zip"))
    with pytest.raises(UnknownAsset):
        describe(settings, str(tmp_path / "*.csv"), ["NOPE"])
    with pytest.raises(UnknownTimeframe):
        describe(settings, str(tmp_path / "*.csv"), timeframes=["7m"])


def test_workers_read_each_file_into_landing_rows(
    tmp_path: Path, settings: Settings, spark: SparkSession
) -> None:
    for month in (1, 2):
        lines = [binance_line(minute) for minute in range(100)]
        dump(tmp_path, f"BTCUSDT-1m-2026-0{month}.zip", lines)
    files = describe(settings, str(tmp_path / "*.zip"))
    rows = candle_frame(spark, files).toArrow().to_pylist()
    assert len(rows) == 200
    assert {row["source"] for row in rows} == {file.path for file in files}
    assert {row["batch_id"] for row in rows} == {file.batch_id for file in files}
    assert {row["asset_pair"] for row in rows} == {"BTCUSD"}


def test_more_files_than_tasks_are_all_read(
    tmp_path: Path, settings: Settings, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lakehouse.files.MOST_TASKS", 2)
    for minute in range(5):
        dump(tmp_path, f"BTCUSDT-1m-2026-0{minute + 1}.csv", [binance_line(minute)])
    found = candle_frame(spark, describe(settings, str(tmp_path / "*.csv")))
    minutes = [row["timestamp"].minute for row in found.toArrow().to_pylist()]
    assert sorted(minutes) == [0, 1, 2, 3, 4]
