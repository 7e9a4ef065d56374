"""The journal: nothing lost, nothing torn, and gone when it is confirmed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lakehouse.errors import StreamFailed
from lakehouse.producers import journal as module
from lakehouse.producers.journal import Journal, Position

Opener = Callable[..., Journal]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "trades" / "journal"


@pytest.fixture
def opened(folder: Path) -> Iterator[Opener]:
    """Opens the journal of the test, after closing it if it was open."""
    journals: list[Journal] = []

    def open_journal(segment_bytes: int = 1000) -> Journal:
        for journal in journals:
            journal.close()
        journals.append(Journal(folder, "trades", segment_bytes))
        return journals[-1]

    yield open_journal
    for journal in journals:
        journal.close()


def everything(journal: Journal, at_most: int = 1000) -> bytes:
    data, position = b"", journal.confirmed
    while True:
        part, _, position = journal.read(position, at_most)
        if not part:
            return data
        data += part


def segments(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.log"))


def test_what_was_appended_is_read_in_order(opened: Opener) -> None:
    journal = opened(segment_bytes=20)
    lines = [b"line %d\n" % number for number in range(50)]
    for line in lines:
        journal.append(line)
    assert everything(journal) == b"".join(lines)


def test_only_whole_lines_are_read(opened: Opener) -> None:
    journal = opened()
    journal.append(b"first\nsecond\n")
    data, start, end = journal.read(journal.confirmed, 8)
    assert (data, start, end) == (b"first\n", Position(1, 0), Position(1, 6))


def test_a_line_longer_than_a_part_is_read_whole(opened: Opener) -> None:
    journal = opened()
    journal.append(b"x" * 100 + b"\n")
    assert everything(journal, at_most=8) == b"x" * 100 + b"\n"


def test_it_goes_on_where_it_was_confirmed(opened: Opener) -> None:
    journal = opened()
    journal.append(b"first\nsecond\n")
    journal.confirm(Position(1, 6))
    assert everything(opened()) == b"second\n"


def test_a_torn_line_is_cut_off(opened: Opener, folder: Path) -> None:
    opened().append(b"first\n")
    with (folder / "00000001.log").open("ab") as file:
        file.write(b"tor")
    journal = opened()
    journal.append(b"second\n")
    assert everything(journal) == b"first\nsecond\n"


def test_a_position_never_means_two_things(opened: Opener) -> None:
    opened().append(b"first\n")
    journal = opened()
    journal.append(b"second\n")
    assert journal.read(Position(1, 6), 100)[1] == Position(2, 0)


def test_without_a_readable_position_everything_is_read_again(opened: Opener, folder: Path) -> None:
    journal = opened()
    journal.append(b"first\nsecond\n")
    journal.confirm(Position(1, 6))
    folder.with_name("position.json").write_text("")
    assert everything(opened()) == b"first\nsecond\n"


def test_a_position_beyond_what_a_power_cut_left_does_not_hide_what_follows(
    opened: Opener, folder: Path
) -> None:
    journal = opened()
    journal.append(b"first\nsecond\n")
    journal.confirm(Position(1, 13))
    (folder / "00000001.log").write_bytes(b"first\n")
    journal = opened()
    journal.append(b"third\n")
    assert everything(journal) == b"third\n"


def test_confirmed_segments_are_deleted(opened: Opener, folder: Path) -> None:
    journal = opened(segment_bytes=10)
    for number in range(4):
        journal.append(b"line %04d\n" % number)
    assert len(segments(folder)) == 4
    _, _, end = journal.read(Position(3, 0), 100)
    journal.confirm(end)
    assert segments(folder) == ["00000004.log"]


def test_the_backlog_is_what_is_not_confirmed(opened: Opener) -> None:
    journal = opened(segment_bytes=10)
    for number in range(4):
        journal.append(b"line %04d\n" % number)
    assert journal.backlog_bytes() == 40
    journal.confirm(Position(2, 4))
    assert journal.backlog_bytes() == 26


def test_a_full_disk_is_an_error_and_leaves_no_half_line(
    opened: Opener, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = opened()
    journal.append(b"first\n")
    file = journal._file

    class FullDisk:
        def write(self, data: bytes) -> int:
            return file.write(data[:3])

        def truncate(self, size: int) -> int:
            return file.truncate(size)

        def close(self) -> None:
            file.close()

    monkeypatch.setattr(journal, "_file", FullDisk())
    with pytest.raises(StreamFailed, match="journal cannot be written"):
        journal.append(b"second\n")
    assert (folder / "00000001.log").read_bytes() == b"first\n"
    assert everything(journal) == b"first\n"


def test_two_processes_cannot_have_it_open(
    opened: Opener, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened()
    monkeypatch.setattr(module, "LOCK_SECONDS", 0.01)
    with pytest.raises(StreamFailed, match="another process"):
        Journal(folder, "trades")


def test_a_reader_keeps_up_with_a_writer(opened: Opener) -> None:
    journal = opened(segment_bytes=500)
    lines = [b"line %d\n" % number for number in range(5000)]
    writer = threading.Thread(target=lambda: [journal.append(line) for line in lines])
    writer.start()
    data, position = b"", journal.confirmed
    while len(data) < sum(map(len, lines)):
        part, _, position = journal.read(position, 300)
        data += part
        journal.confirm(position)
    writer.join()
    assert data == b"".join(lines)
