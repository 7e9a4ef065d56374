"""The ledger agrees with a model that knows each candle, whatever it is told and in any order."""

from __future__ import annotations

import shutil
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakehouse.gaps import (
    Candles,
    Facts,
    Refused,
    Window,
    calendars,
    read_coverage,
    read_gaps,
    take_in,
)
from lakehouse.outcomes import Recorder
from lakehouse.settings import Settings, load_settings
from tests.gaps.model import Interval, SeriesModel, times

HOUR = timedelta(hours=1)
CALENDARS = {"BTCUSD": "24/7", "AAPLUSD": "XNYS"}
# From Monday to Monday, with Thanksgiving and the short day after it in between.
FIRST = datetime(2025, 11, 24, tzinfo=UTC)
OPENINGS = {
    asset: calendars.grid(calendar, "1h").openings(FIRST, FIRST + timedelta(days=7))
    for asset, calendar in CALENDARS.items()
}
SERIES = [(asset, "1h", provider) for asset in CALENDARS for provider in ("binance", "kraken")]


def moment(hour: int) -> datetime:
    return FIRST + hour * HOUR


@st.composite
def facts(draw: st.DrawFn) -> Facts:
    """What a landing may tell: windows that were answered or failed, and what came in them."""
    found = Facts()
    for series in draw(st.lists(st.sampled_from(SERIES), min_size=1, max_size=3, unique=True)):
        start = draw(st.integers(0, 160))
        length = draw(st.integers(1, 40))
        for window_start in range(
            start, min(start + length, 168), draw(st.sampled_from([8, 24, 40]))
        ):
            end = min(window_start + 24, start + length, 168)
            _draw_window(draw, found, series, window_start, end)
    return found


def _draw_window(
    draw: st.DrawFn, found: Facts, series: tuple[str, str, str], start: int, end: int
) -> None:
    kinds = [
        "no_trade",
        "whole",
        "candles",
        "candles",
        "rejected",
        "outage",
        "not_fetched",
        "delisted",
    ]
    kind = draw(st.sampled_from(kinds))
    is_answered = kind not in ("outage", "not_fetched", "delisted")
    gap_class = "no_trade" if kind in ("whole", "candles") else kind
    detail = "" if gap_class == "no_trade" else f"{kind} {draw(st.integers(1, 3))}"
    if kind != "whole" or draw(st.booleans()):  # a replay knows no windows
        found.windows.append(
            Window(series, moment(start), moment(end), gap_class, is_answered, detail)
        )
    hours = st.lists(st.integers(start, end - 1), max_size=4, unique=True)
    if kind == "whole":
        found.candles.append(Candles(series, moment(start), moment(end - 1)))
    if kind == "candles":
        _draw_candles(draw, found, series, draw(hours), draw(hours))
    if is_answered and (bad := draw(hours)):
        minutes = np.array(times(*(moment(hour) for hour in bad))) + 60_000_000
        found.refused.append(Refused(series, minutes, "high < low"))


def _draw_candles(
    draw: st.DrawFn, found: Facts, series: tuple[str, str, str], traded: list[int], flat: list[int]
) -> None:
    both = sorted({*traded, *flat})
    if both:
        found.candles.append(
            Candles(
                series,
                moment(both[0]),
                moment(both[-1]),
                np.array(times(*map(moment, traded)), np.int64),
                np.array(times(*map(moment, flat)), np.int64),
            )
        )


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    known = load_settings()
    asset = known.assets["BTCUSD"]
    assets = {name: asset.model_copy(update={"calendar": c}) for name, c in CALENDARS.items()}
    root = tmp_path_factory.mktemp("ledger") / "lake"
    return known.model_copy(update={"root": root, "assets": assets})


def models() -> dict[tuple[str, str, str], SeriesModel]:
    return {
        series: SeriesModel(OPENINGS[series[0]], HOUR, timedelta(hours=24)) for series in SERIES
    }


def intervals(lake: Settings) -> dict[tuple[str, str, str], list[Interval]]:
    found = defaultdict(list)
    for gap in read_gaps(lake):
        found[gap.series].append((gap.start, gap.end, gap.gap_class, gap.candles))
    return found


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(landings=st.lists(facts(), min_size=1, max_size=6))
def test_the_ledger_agrees_with_a_model_of_every_candle(
    lake: Settings, landings: list[Facts]
) -> None:
    shutil.rmtree(lake.lake, ignore_errors=True)
    expected = models()
    for landing in landings:
        take_in(lake, Recorder(lake, "run"), landing)
        for series, model in expected.items():
            model.take_in(_only(landing, series))
        found = intervals(lake)
        assert {s: found.get(s, []) for s in SERIES} == {
            s: m.intervals() for s, m in expected.items()
        }
    horizons = {
        h.series: (h.known_from, h.known_to, h.first_candle, h.last_candle)
        for h in read_coverage(lake)
    }
    known = {
        s: (m.known_from, m.known_to, m.first, m.last) for s, m in expected.items() if m.known_from
    }
    assert horizons == known
    take_in(lake, Recorder(lake, "run"), landings[-1])
    assert intervals(lake) == found, "the same facts again change nothing"


def _only(landing: Facts, series: tuple[str, str, str]) -> Facts:
    return Facts(
        [window for window in landing.windows if window.series == series],
        [candles for candles in landing.candles if candles.series == series],
        [refused for refused in landing.refused if refused.series == series],
    )
