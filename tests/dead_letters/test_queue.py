"""Looking through the queue; no engine needed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lakehouse.dead_letters import discard, find_dead_letter, list_dead_letters
from lakehouse.dead_letters.letter import READ_WHOLE_BYTES, folder_of, open_letter, write_letter
from lakehouse.errors import DeadLetterError, UnknownDeadLetter, UnreadableDeadLetter

MORNING = datetime(2026, 3, 2, 6, tzinfo=UTC)


def letter(
    lake: Path,
    number: int = 0,
    *,
    table: str = "bronze.raw_market_data_1m",
    error: str = "high < low",
    records: int = 1,
) -> Path:
    """A letter written `number` hours into the morning."""
    moment = MORNING + timedelta(hours=number)
    head = {
        "timestamp": moment.isoformat(),
        "error": error,
        "context": {"table": table, "batch_id": f"batch-{number}"},
    }
    path = folder_of(lake, table) / f"dlq_{moment:%Y-%m-%dT%H-%M-%S}Z_{number:08x}.json"
    write_letter(path, head, ({"row": n, "reason": error} for n in range(records)))
    return path


def names(lake: Path, **filters: object) -> list[str]:
    return [found.name[-2:] for found in list_dead_letters(lake, **filters)[0]]  # type: ignore[arg-type]


def test_an_empty_lake_has_no_letters(tmp_path: Path) -> None:
    assert list_dead_letters(tmp_path) == ([], [])


def test_letters_are_listed_newest_first(tmp_path: Path) -> None:
    for number in (2, 1, 3):
        letter(tmp_path, number)
    assert names(tmp_path) == ["03", "02", "01"]


def test_letters_are_found_by_table_reason_time_and_number(tmp_path: Path) -> None:
    letter(tmp_path, 1)
    letter(tmp_path, 2, table="bronze.raw_market_data_1h")
    letter(tmp_path, 3, error="volume < 0; close is missing or not a number")
    assert names(tmp_path, table="bronze.raw_market_data_1h") == ["02"]
    assert names(tmp_path, table="raw_market_data_1m") == ["03", "01"]
    assert names(tmp_path, reason="VOLUME") == ["03"]
    assert names(tmp_path, since=MORNING + timedelta(hours=2)) == ["03", "02"]
    assert names(tmp_path, limit=1) == ["03"]
    assert names(tmp_path, limit=0) == []
    assert names(tmp_path, table="nothing") == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"timestamp": "2026-03-02T06:00:00+00:00", "error": "high < low", "context": {',
        b'{"timestamp": "yesterday", "error": "x", "context": {}, "records": []}',
        b'{"error": "x", "context": {}, "records": []}',
    ],
)
def test_a_torn_letter_is_reported_and_the_others_are_listed(
    tmp_path: Path, content: bytes
) -> None:
    whole = letter(tmp_path, 1)
    torn = whole.with_name("dlq_torn.json")
    torn.write_bytes(content)
    letters, unreadable = list_dead_letters(tmp_path)
    assert [found.path for found in letters] == [whole]
    assert [error.path for error in unreadable] == [torn]
    assert torn.exists()


def test_a_draft_that_a_crash_left_is_no_letter(tmp_path: Path) -> None:
    path = letter(tmp_path)
    path.with_name(f".{path.name}.123.tmp").write_text("{")
    assert list_dead_letters(tmp_path) == ([open_letter(path)], [])


def test_a_letter_that_an_editor_laid_out_anew_is_still_read(tmp_path: Path) -> None:
    import json

    path = letter(tmp_path, records=3)
    path.write_text(json.dumps(json.loads(path.read_text()), indent=4, sort_keys=True))
    assert open_letter(path).records == 3
    assert [record["row"] for record in open_letter(path).read_records()] == [0, 1, 2]


def test_a_large_letter_is_counted_and_read_line_by_line(tmp_path: Path) -> None:
    path = letter(tmp_path, records=40_000)
    assert path.stat().st_size > READ_WHOLE_BYTES
    found = open_letter(path)
    assert found.records == 40_000
    assert [record["row"] for record in found.read_records()] == list(range(40_000))


def test_a_large_letter_damaged_within_says_so_when_it_is_read(tmp_path: Path) -> None:
    path = letter(tmp_path, records=40_000)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:20_000], '{"row": \n', *lines[20_001:]]))
    with pytest.raises(UnreadableDeadLetter):
        list(open_letter(path).read_records())


def test_a_large_letter_that_was_cut_off_is_reported(tmp_path: Path) -> None:
    path = letter(tmp_path, records=40_000)
    path.write_bytes(path.read_bytes()[:-1_000])
    assert [error.path for error in list_dead_letters(tmp_path)[1]] == [path]


def test_a_letter_is_found_by_its_name_or_the_end_of_it(tmp_path: Path) -> None:
    path = letter(tmp_path, 10)
    for name in (path.name, path.stem, str(path), "0000000a"):
        assert find_dead_letter(tmp_path, name).path == path


@pytest.mark.parametrize("name", ["0000000b", "", "json", "../../etc/passwd"])
def test_a_name_that_is_no_letters_is_refused(tmp_path: Path, name: str) -> None:
    letter(tmp_path, 10)
    with pytest.raises(UnknownDeadLetter):
        find_dead_letter(tmp_path, name)


def test_an_end_that_two_letters_share_names_neither(tmp_path: Path) -> None:
    letter(tmp_path, 1)
    letter(tmp_path, 17)
    with pytest.raises(UnknownDeadLetter):
        find_dead_letter(tmp_path, "1")


def test_a_discarded_letter_is_in_the_archive_and_listed_no_more(tmp_path: Path) -> None:
    path = letter(tmp_path)
    archived = discard(tmp_path, open_letter(path))
    assert archived == tmp_path / "dlq" / "archive" / "raw_market_data_1m" / path.name
    assert archived.exists()
    assert list_dead_letters(tmp_path) == ([], [])


def test_a_letter_that_is_gone_cannot_be_discarded(tmp_path: Path) -> None:
    path = letter(tmp_path)
    found = open_letter(path)
    path.unlink()
    with pytest.raises(DeadLetterError, match="cannot be moved"):
        discard(tmp_path, found)
