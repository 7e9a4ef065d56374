"""A lake with two releases, made of few candles; building it takes seconds, so tests share it."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
from deltalake import DeltaTable

from lakehouse.builds import create_release, roll_back
from lakehouse.outcomes import Recorder
from lakehouse.releases import Release, kept_releases
from lakehouse.tables import built_tables, table_named
from tests.builds.lakes import Lake
from tests.builds.market import START, closed_by, market

DAY = timedelta(days=1)
BUILT = tuple(table.full_name for table in built_tables())


def two_days() -> pl.DataFrame:
    """Candles of one asset: 1h, 4h and 1d of two days."""
    return closed_by(market(("BTCUSD",)), START + 2 * DAY)


def third_day() -> pl.DataFrame:
    """What is in `three_days` and not in `two_days`."""
    later = closed_by(market(("BTCUSD",)), START + 3 * DAY)
    return later.join(two_days(), on=["timeframe", "timestamp"], how="anti")


def recorder(lake: Lake) -> Recorder:
    return Recorder(lake.settings, "run-1")


def create(lake: Lake, name: str | None = None) -> Release:
    return create_release(lake.settings, recorder(lake), name)


def go_back(lake: Lake, name: str) -> Release:
    return roll_back(lake.settings, recorder(lake), name)


def kinds(lake: Lake) -> list[str]:
    """Of the kept releases, newest first."""
    return [release.kind for release in kept_releases(lake.settings)]


def table(lake: Lake, name: str, version: int | None = None) -> DeltaTable:
    return DeltaTable(str(table_named(name).path(lake.settings.lake)), version=version)


def versions(lake: Lake) -> dict[str, int]:
    return {name: table(lake, name).version() for name in BUILT}


def rows(lake: Lake, release: Release) -> dict[str, pl.DataFrame]:
    """All rows of the tables of a release, read past the lakehouse."""
    return {name: content(table(lake, name, version)) for name, version in release.versions.items()}


def present(lake: Lake) -> dict[str, pl.DataFrame]:
    """All rows of silver and gold as they are."""
    return {name: content(table(lake, name)) for name in BUILT}


def content(found: DeltaTable) -> pl.DataFrame:
    frame = pl.DataFrame(pl.from_arrow(found.to_pyarrow_table()))
    return frame.select(sorted(frame.columns)).sort(pl.all())


def are_same(found: dict[str, pl.DataFrame], wanted: dict[str, pl.DataFrame]) -> bool:
    return found.keys() == wanted.keys() and all(found[name].equals(wanted[name]) for name in found)
