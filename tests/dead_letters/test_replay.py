"""Replaying: what passes now leaves the queue, what fails again stays in it, marked."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from lakehouse.dead_letters import (
    DeadLetter,
    Replay,
    list_dead_letters,
    replay,
    write_dead_letters,
)
from lakehouse.dead_letters.records import rebuilt
from lakehouse.gate import Judgement
from lakehouse.landing_rows import LANDING_SCHEMA
from lakehouse.settings import Asset, Settings
from tests.dead_letters.conftest import Judge, on_both
from tests.gate.candles import NOW, candle

GOOD = [candle(minute) for minute in range(100, 140)]
EXPENSIVE = {"asset_pair": "XRPUSD", "open": 2e6, "high": 2e6, "low": 2e6, "close": 2e6}


class Bronze:
    """Stands for bronze: keeps what is landed, each row once."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def land(self, table: str, judgement: Judgement) -> int:
        assert table == "bronze.raw_market_data"
        assert not judgement.quarantined
        landed = judgement.rows.select(LANDING_SCHEMA.names).toArrow().to_pylist()
        new = [row for row in landed if row not in self.rows]
        self.rows += new
        return len(new)


@pytest.fixture
def bronze() -> Bronze:
    return Bronze()


@pytest.fixture
def replayed(session: SparkSession, settings: Settings, bronze: Bronze) -> Callable[..., Replay]:
    """Replays the whole queue."""

    def run(settings: Settings = settings, **options: Any) -> Replay:
        letters, _ = list_dead_letters(settings.lake)
        land = options.pop("land", bronze.land)
        return replay(letters, session, settings, land, options.pop("now", NOW))

    return run


def mend(path: Path, **changes: Any) -> None:
    """Change every record of a letter, as somebody would with an editor."""
    content = json.loads(path.read_text())
    content["records"] = [record | changes for record in content["records"]]
    path.write_text(json.dumps(content, indent=2))


def queue(settings: Settings) -> list[DeadLetter]:
    return list_dead_letters(settings.lake)[0]


@on_both
def test_what_fails_again_stays_in_the_queue_marked(
    judge: Judge, settings: Settings, bronze: Bronze, replayed: Callable[..., Replay]
) -> None:
    (path,) = write_dead_letters(judge([*GOOD, candle(1, volume=-1.0)]), settings)
    before = json.loads(path.read_text())
    done = replayed()
    assert (done.passed, done.failed, done.landed) == (0, 1, [])
    assert bronze.rows == []
    after = json.loads(path.read_text())
    assert after.pop("replay") == {
        "attempts": 1,
        "last_replayed_at": "2026-03-03T00:00:30+00:00",
        "last_reasons": ["volume < 0"],
    }
    assert after == before
    replayed(now=NOW + timedelta(hours=1))
    (letter,) = queue(settings)
    assert (letter.attempts, letter.last_replayed_at) == (2, NOW + timedelta(hours=1))


def test_what_was_mended_lands_and_leaves_the_queue(
    judge: Judge, settings: Settings, bronze: Bronze, replayed: Callable[..., Replay]
) -> None:
    (path,) = write_dead_letters(judge([*GOOD, candle(1, volume=-1.0)]), settings)
    mend(path, volume=1.0)
    done = replayed()
    assert (done.passed, done.failed, done.landed) == (1, 0, [1])
    assert bronze.rows == [candle(1, volume=1.0)]
    assert queue(settings) == []
    assert [letter.path for letter in done.resolved] == [path]


def test_a_rule_that_was_mended_lets_the_row_pass_as_it_arrived(
    judge: Judge, settings: Settings, bronze: Bronze, replayed: Callable[..., Replay]
) -> None:
    row = candle(1, **EXPENSIVE, raw='{"spelled": ["out", 1, null]}')
    write_dead_letters(judge([*GOOD, row]), settings)
    dear = Asset(base="XRP", quote="USD", max_price=3e6)
    mended = settings.model_copy(update={"assets": {**settings.assets, "XRPUSD": dear}})
    assert replayed(mended).passed == 1
    assert bronze.rows == [row]


@on_both
def test_a_letter_keeps_only_the_records_that_still_fail(
    judge: Judge, settings: Settings, bronze: Bronze, replayed: Callable[..., Replay]
) -> None:
    rows = [candle(minute, volume=-1.0) for minute in range(3)]
    (path,) = write_dead_letters(judge([*GOOD, *rows]), settings)
    content = json.loads(path.read_text())
    content["records"][1]["volume"] = 7.0
    content["records"][2]["close"] = 111.0
    path.write_text(json.dumps(content))
    done = replayed()
    assert (done.passed, done.failed) == (1, 2)
    assert [row["volume"] for row in bronze.rows] == [7.0]
    left = json.loads(path.read_text())
    assert [record["reason"] for record in left["records"]] == [
        "volume < 0",
        "close > high; volume < 0",
    ]
    assert [letter.records for letter in queue(settings)] == [2]


@on_both
def test_good_rows_of_a_quarantined_batch_land_when_they_are_replayed(
    judge: Judge, settings: Settings, bronze: Bronze, replayed: Callable[..., Replay]
) -> None:
    bad = [candle(hour, volume=-1.0) for hour in (11, 12, 13)]
    write_dead_letters(judge([*GOOD[:2], *bad]), settings)
    done = replayed()
    assert (done.passed, done.failed) == (2, 3)
    assert bronze.rows == GOOD[:2]
    assert [letter.error for letter in queue(settings)] == ["volume < 0"]


def test_a_landing_that_fails_leaves_every_letter_as_it_was(
    judge: Judge, settings: Settings, replayed: Callable[..., Replay]
) -> None:
    (path,) = write_dead_letters(judge([*GOOD, candle(1, volume=-1.0)]), settings)
    mend(path, volume=1.0)
    before = path.read_bytes()

    def fail(table: str, judgement: Judgement) -> None:
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        replayed(land=fail)
    assert path.read_bytes() == before
    assert not list((settings.lake / "staging").iterdir())


def test_a_replay_killed_after_landing_doubles_nothing_when_run_again(
    judge: Judge,
    settings: Settings,
    bronze: Bronze,
    replayed: Callable[..., Replay],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (path,) = write_dead_letters(judge([*GOOD, candle(1, volume=-1.0)]), settings)
    mend(path, volume=1.0)
    with monkeypatch.context() as patched:

        def killed(self: Path, missing_ok: bool = False) -> None:
            raise KeyboardInterrupt

        patched.setattr(Path, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            replayed()
    assert (len(bronze.rows), len(queue(settings))) == (1, 1)
    replayed()
    assert (len(bronze.rows), len(queue(settings))) == (1, 0)


def test_a_torn_letter_is_reported_and_the_others_are_replayed(
    judge: Judge, settings: Settings, bronze: Bronze, session: SparkSession
) -> None:
    rows = [candle(1, volume=-1.0), candle(2, close=111.0)]
    first, second = write_dead_letters(judge([*GOOD, *rows]), settings)
    for path in (first, second):
        mend(path, volume=1.0, close=100.0)
    letters = queue(settings)
    first.write_bytes(first.read_bytes()[:-20])
    done = replay(letters, session, settings, bronze.land, NOW)
    assert [error.path for error in done.unreadable] == [first]
    assert len(bronze.rows) == 1
    assert first.exists()
    assert not second.exists()


def test_a_field_that_was_mended_badly_is_named_by_the_gate(
    judge: Judge, settings: Settings, replayed: Callable[..., Replay]
) -> None:
    (path,) = write_dead_letters(judge([*GOOD, candle(1, volume=-1.0)]), settings)
    mend(path, volume="a lot", timestamp="last Monday")
    replayed()
    (record,) = json.loads(path.read_text())["records"]
    assert record["reason"] == (
        "timestamp is missing or not a time; volume is missing or not a number"
    )
    assert record["volume"] == "a lot"


def test_a_conflict_is_over_when_one_of_the_two_is_taken_out(
    judge: Judge, settings: Settings, bronze: Bronze, replayed: Callable[..., Replay]
) -> None:
    (path,) = write_dead_letters(judge([*GOOD, candle(1), candle(1, close=106.0)]), settings)
    assert replayed().failed == 2
    content = json.loads(path.read_text())
    content["records"] = [r for r in content["records"] if r["close"] == 106.0]
    path.write_text(json.dumps(content))
    assert replayed().passed == 1
    assert bronze.rows == [candle(1, close=106.0)]


@on_both
def test_a_record_is_rebuilt_as_the_row_that_arrived(judge: Judge, settings: Settings) -> None:
    odd = [
        candle(1, open=math.inf, close=100.1 + 0.2, raw='[1.10, "a"]'),
        candle(2, open=math.inf, raw='["é",{"b":null}]', source=None),
        candle(3, open=math.inf, raw=None, volume=1e-300),
        candle(4, open=math.inf, raw='"text"'),
    ]
    write_dead_letters(judge([*GOOD, *odd]), settings)
    (letter,) = queue(settings)
    rows = rebuilt(letter.read_records(), LANDING_SCHEMA).to_pylist()
    assert sorted(rows, key=lambda row: row["timestamp"]) == odd


def test_nothing_to_replay_is_no_error(replayed: Callable[..., Replay]) -> None:
    assert replayed() == Replay()
