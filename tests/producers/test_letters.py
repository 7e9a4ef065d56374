"""Dead letters of the producers: joined, complete, and not doubled by a crash."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from lakehouse.dead_letters import DeadLetter
from lakehouse.dead_letters.letter import open_letter
from lakehouse.producers.journal import Position
from lakehouse.producers.letters import Letters

TABLE = "bronze.raw_trades"
START = 1_763_728_800  # 2025-11-21T12:40:00Z


@pytest.fixture
def letters(tmp_path: Path) -> Letters:
    return Letters(tmp_path, "trades", TABLE)


def line(second: str, reason: str = "price <= 0", **fields: Any) -> bytes:
    received_at = f"2025-11-21T12:40:{second}+00:00"
    base = {"received_at": received_at, "source": "ws://feed", "batch_id": None}
    return orjson.dumps({**base, "reason": reason, "provider": "finnhub", **fields})


def found(lake: Path) -> list[DeadLetter]:
    return [open_letter(path) for path in sorted((lake / "dlq" / "raw_trades").glob("dlq_*.json"))]


def test_records_of_a_window_with_the_same_reason_share_a_letter(
    letters: Letters, tmp_path: Path
) -> None:
    letters.add(Position(3, 7), line("00.5", raw="a"))
    letters.add(Position(3, 9), line("04.9", raw="b"))
    letters.add(Position(3, 11), line("04.9", "volume <= 0"))
    letters.write(before=START + 5)
    first, second = sorted(found(tmp_path), key=lambda letter: letter.error)
    assert first.context == {
        "asset_pair": None,
        "timeframe": None,
        "provider": "finnhub",
        "table": TABLE,
        "batch_id": "trades-finnhub-20251121T124000-3-7",
        "source": "ws://feed",
    }
    records = list(first.read_records())
    assert [record["raw"] for record in records] == ["a", "b"]
    assert {record["batch_id"] for record in records} == {first.batch_id}
    assert (second.error, second.records) == ("volume <= 0", 1)


def test_a_window_that_is_not_over_waits(letters: Letters, tmp_path: Path) -> None:
    letters.add(Position(1, 5), line("03"))
    letters.add(Position(1, 9), line("06"))
    letters.write(before=START + 5.5)
    assert len(found(tmp_path)) == 1
    assert letters.unwritten_from == Position(1, 9)
    letters.write_all()
    assert len(found(tmp_path)) == 2
    assert letters.unwritten_from is None


def test_what_is_read_again_after_a_crash_replaces_its_letter(tmp_path: Path) -> None:
    for _ in range(2):
        letters = Letters(tmp_path, "trades", TABLE)
        letters.add(Position(1, 5), line("03"))
        letters.add(Position(1, 9), line("04"))
        letters.write_all()
    (letter,) = found(tmp_path)
    assert letter.records == 2


def test_a_torn_letter_of_the_same_name_is_not_in_the_way(letters: Letters, tmp_path: Path) -> None:
    letters.add(Position(1, 5), line("03"))
    letters.write_all()
    (letter,) = found(tmp_path)
    letter.path.write_text("{")
    letters.add(Position(1, 5), line("03"))
    letters.write_all()
    assert len(list(letter.path.parent.glob("dlq_*.json"))) == 2
