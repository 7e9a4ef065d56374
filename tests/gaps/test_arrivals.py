"""What the judged rows of a landing tell of its batches, on both engines."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from lakehouse.arrivals import Arrivals, arrivals_in
from lakehouse.gaps.calendars import micros
from lakehouse.gate import Gate
from lakehouse.landing_rows import LANDING_SCHEMA
from lakehouse.settings import Settings

FIRST = datetime(2026, 3, 2, tzinfo=UTC)
LINE = "http://exchange/"


def row(batch_id: str, hour: int | None, **changes: Any) -> dict[str, Any]:
    return {
        "asset_pair": "BTCUSD",
        "timestamp": None if hour is None else FIRST + timedelta(hours=hour),
        **{"open": 100.0, "high": 101.0, "low": 99.0, "close": 100.5, "volume": 1.0},
        "provider": "kraken",
        "timeframe": "1h",
        "batch_id": batch_id,
        "source": LINE + batch_id,
        **changes,
    }


FLAT = {"open": 100.0, "high": 100.0, "low": 100.0, "close": 100.0, "volume": 0.0}
ROWS = [
    *(row("whole", hour, source=f"{LINE}{hour // 2}") for hour in range(4)),
    *(row("holed", hour) for hour in (0, 1, 3)),
    row("flat", 0),
    row("flat", 1, **FLAT),
    *(row("spoiled", hour) for hour in range(12)),
    row("spoiled", 12, volume=-1.0),
    row("spoiled", None),
    *(row("lost", hour, high=98.0) for hour in range(3)),
    row("lost", 3),
]


@pytest.fixture(scope="module")
def arrivals(session: SparkSession, engine_home: Settings) -> Arrivals:
    frame = session.createDataFrame(pa.Table.from_pylist(ROWS, schema=LANDING_SCHEMA))
    settings = engine_home.model_copy(update={"tolerance": 0.2, "quarantine_from_rows": 3})
    gate = Gate("bronze.raw_market_data", settings)
    return arrivals_in(gate.judge(gate.annotate(frame)))


def hours(times: Any) -> list[float]:
    return sorted((int(time) - micros(FIRST)) / 3_600_000_000 for time in times)


def test_each_call_has_its_share_of_a_batch(arrivals: Arrivals) -> None:
    first, second = (share for share in arrivals.shares if share.batch_id == "whole")
    assert (first.source, first.first, first.last) == (
        LINE + "0",
        FIRST,
        FIRST + timedelta(hours=1),
    )
    assert (second.source, second.rows, second.traded, second.refused) == (LINE + "1", 2, 2, 0)


def test_a_whole_batch_is_told_by_its_ends(arrivals: Arrivals) -> None:
    candles = _of(arrivals, "whole").candles
    assert candles
    assert (candles.first, candles.last) == (FIRST, FIRST + timedelta(hours=3))
    assert (candles.series, candles.traded) == (("BTCUSD", "1h", "kraken"), None)


def test_a_batch_with_a_hole_is_told_candle_by_candle(arrivals: Arrivals) -> None:
    candles = _of(arrivals, "holed").candles
    assert candles
    assert hours(candles.traded) == [0, 1, 3]


def test_a_flat_candle_did_not_trade_but_came(arrivals: Arrivals) -> None:
    candles = _of(arrivals, "flat").candles
    assert candles
    assert (hours(candles.traded), hours(candles.flat)) == ([0], [1])
    assert candles.last == FIRST + timedelta(hours=1)


def test_refused_rows_are_told_by_their_reasons_and_times(arrivals: Arrivals) -> None:
    spoiled = _of(arrivals, "spoiled")
    assert spoiled.candles
    assert hours(spoiled.candles.traded) == list(range(12))
    assert [(r.detail, hours(r.times)) for r in spoiled.refused] == [("volume < 0", [12])]
    assert spoiled.untimed == "timestamp is missing or not a time"


def test_of_a_quarantined_batch_nothing_arrived(arrivals: Arrivals) -> None:
    lost = _of(arrivals, "lost")
    assert lost.candles is None
    refused = {r.detail: hours(r.times) for r in lost.refused}
    assert refused.pop("its batch was quarantined") == [3]
    assert sorted(hour for times in refused.values() for hour in times) == [0, 1, 2]


def _of(arrivals: Arrivals, batch_id: str) -> Any:
    (arrival,) = (a for a in arrivals.arrivals if a.batch_id == batch_id)
    return arrival
