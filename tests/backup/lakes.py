"""Small lakes of a few Delta tables, written without an engine; and what came of them."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
from deltalake import DeltaTable, write_deltalake

from lakehouse import ops, releases
from lakehouse.backup import BackedUp, Manifest
from lakehouse.dead_letters.letter import path_of, write_letter
from lakehouse.releases import Release
from lakehouse.settings import Settings

BRONZE = "bronze.raw_market_data_1h"
SILVER = "silver.market_data_enriched"
GOLD = "gold.mart_daily_metrics"
MOMENT = datetime(2026, 1, 5, tzinfo=UTC)


def fill(settings: Settings) -> None:
    """Three versions of bronze, two of silver of which a release pins the first, one of gold, and
    what lies beside the tables."""
    for number in range(3):
        add(settings, BRONZE, [number, number + 10])
        land(settings, number)
    add(settings, SILVER, [1, 2])
    add(settings, GOLD, [1])
    releases.record(settings, release("first", {SILVER: 0, GOLD: 0}))
    add(settings, SILVER, [3, 4, 5])
    letter(settings, "broken")
    write(settings.lake / "dlq" / "archive" / "raw_market_data_1h" / "dlq_old.json", "{}")
    write(settings.lake / "producers" / "trades" / "journal" / "00000001.log", "a line\n")


def add(settings: Settings, name: str, values: Iterable[int]) -> None:
    """Append rows in a commit of their own."""
    rows = pl.DataFrame({"value": list(values)}, schema={"value": pl.Int64})
    path = settings.lake.joinpath(*name.split("."))
    write_deltalake(str(path), rows.to_arrow(), mode="append")


def land(settings: Settings, number: int) -> None:
    """Note in ops.progress that the rows of that number are in bronze."""
    ops.append(settings, "ops.progress", [{"batch_id": str(number), "window_start": MOMENT}])


def release(name: str, versions: dict[str, int]) -> Release:
    rows, no_bronze = dict.fromkeys(versions, 2), dict.fromkeys(versions, "{}")
    built_at = dict.fromkeys(versions, MOMENT)
    return Release(name, "named", MOMENT, None, versions, rows, no_bronze, built_at)


def letter(settings: Settings, batch_id: str) -> Path:
    path = path_of(settings.lake, BRONZE, batch_id, "high < low", MOMENT)
    context = {"table": BRONZE, "batch_id": batch_id}
    head = {"timestamp": MOMENT.isoformat(), "error": "high < low", "context": context}
    write_letter(path, head, [{"close": 1}])
    return path


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def table(lake: Path, name: str, version: int | None = None) -> DeltaTable:
    return DeltaTable(str(lake.joinpath(*name.split("."))), version=version)


def values(lake: Path, name: str, version: int | None = None) -> list[int]:
    frame = pl.DataFrame(pl.from_arrow(table(lake, name, version).to_pyarrow_table()))
    return sorted(frame["value"].to_list())


def content(lake: Path) -> dict[str, tuple[bytes, int]]:
    """Bytes and mtime of all files of a lake, but for what only runs there."""
    return {
        str(path.relative_to(lake)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in lake.rglob("*")
        if path.is_file() and ".services" not in path.parts
    }


def object_of(folder: Path, file: BackedUp) -> Path:
    return folder / "objects" / file.sha256[:2] / file.sha256


def file_of(manifest: Manifest, ending: str) -> BackedUp:
    return next(file for file in manifest.files if file.path.endswith(ending))


def move(settings: Settings, root: Path) -> Settings:
    """Settings of a copy of the lake at that root."""
    if not root.exists():
        shutil.copytree(settings.lake, root)
    return settings.model_copy(update={"root": root})
