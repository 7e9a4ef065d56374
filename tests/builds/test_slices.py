"""Where a build cuts what arrived: by what Spark's heap bears, at midnights."""

from __future__ import annotations

import polars as pl
import pytest

from lakehouse.builds.arrivals import bronze_versions, find_arrivals
from lakehouse.builds.slices import OF_AN_ASSET_A_GIB, Slice, slices
from lakehouse.settings import SparkOptions
from tests.builds.lakes import Lake


def slices_of(lake: Lake, heap: str) -> list[Slice]:
    spark = SparkOptions(driver_memory=heap)
    settings = lake.settings.model_copy(update={"engine": "spark", "spark": spark})
    arrivals = find_arrivals(settings, {}, bronze_versions(settings))
    return slices(lake.session, settings, arrivals)


def test_what_the_heap_bears_is_one_slice(whole: Lake) -> None:
    (only,) = slices_of(whole, "15m")
    assert only.until is None


@pytest.mark.parametrize("heap", ["5m", "5120k"])
def test_no_slice_has_more_of_an_asset_than_the_heap_bears(
    whole: Lake, candles: pl.DataFrame, heap: str
) -> None:
    found = slices_of(whole, heap)
    ends = [each.until for each in found]
    assert ends[-1] is None
    number = sum(((pl.col("timestamp") >= end).cast(pl.Int64) for end in ends[:-1]), pl.lit(0))
    taken = candles.group_by(number.alias("slice"), "asset_pair").len()
    assert taken["slice"].n_unique() == len(found) == 3
    assert taken["len"].max() <= OF_AN_ASSET_A_GIB * 5 / 1024 < len(candles) / 2  # type: ignore[operator]
