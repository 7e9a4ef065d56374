"""The pages in docs/ show what happens; and who checks that finds what does not."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from lakehouse.places import PROJECT
from tests.e2e.documented import (
    PAGES,
    WrongPage,
    commands_of,
    new_console,
    problems_of,
    rewrite,
    run_page,
)
from tests.e2e.outputs import Comparison, latest_moment

pytestmark = pytest.mark.e2e

WRITTEN = datetime(2026, 11, 22, 10, tzinfo=UTC)
NOW = datetime(2027, 2, 3, 15, tzinfo=UTC)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_what_its_commands_say(page: str) -> None:
    problems = problems_of(PROJECT / page)
    assert problems == [], "\n\n".join(["", *problems])


def console(*lines: str, before: str = "", language: str = "console") -> str:
    return "\n".join([f"# Title\n{before}", f"```{language}", *lines, "```", "", "The end.", ""])


RIGHT = console(
    "$ export WHO='a  person' LAKEHOUSE__BACKFILL__DAYS=-2",
    '$ printf "%s\\n" "$WHO, and',
    'another" > names.txt  # two lines',
    "$ cat names.txt",
    "a  person, and",
    "another",
    "",
    "$ lakehouse status",
    "Error: Setting backfill.days is wrong: Input should be greater than 0. Correct it in the "
    "environment (LAKEHOUSE__BACKFILL__DAYS).",
    "$ unset LAKEHOUSE__BACKFILL__DAYS",
    "$ lakehouse \\",
    "  status --json",
    "[]",
    "$ lakehouse status --json | wc -l",
    "1",
    '$ lakehouse history gold.nothing || echo "exit code $?"',
    "Error: There is no table gold.nothing. Tables in this lakehouse: none yet; run a backfill.",
    "exit code 2",
    "$ lakehouse history gold.nothing",
    "Error: There is no table gold.nothing. Tables in this lakehouse: none yet; run a backfill.",
)


def test_a_right_page_has_no_problem_and_is_left_as_it_is(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(RIGHT)
    assert problems_of(page) == []
    assert not rewrite(page)
    assert page.read_text() == RIGHT


def test_a_page_is_brought_up_to_date_in_its_outputs_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    commands = ("$ printf 'one \\n\\ntwo\\n'", "$ true", "$ lakehouse history gold.nothing")
    drafted = [commands[0], "three", commands[1], "four", commands[2], "Error:"]
    real = [commands[0], "one", "", "two", *commands[1:], RIGHT.splitlines()[-4]]
    before = "Words \n\n```text\n$ not run\n```\n- A list\n"
    page.write_text(console(*drafted, before=before))
    assert rewrite(page)
    assert page.read_text() == console(*real, before=before)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["$ lakehouse status", "All is well."], "+Nothing is running."),
        (["$ lakehouse status"], "+Nothing is running."),
        (["$ printf 'one\\ntwo\\n'", "two", "one"], "+one"),
        (["$ printf 'one\\n'", "one", "two"], "-two"),
        (["$ lakehouse sattus", "No such command."], "exit code 2, but the page shows no output"),
        (["$ lakehuose status", "All is well."], "exit code 127, but"),
        (["$ lakehouse history gold.nothing"], "exit code 2, but"),
        (["$ lakehouse history gold.nothing", "Error: Something else."], "-Error: Something else."),
        (["$ lakehouse status", "Error: Nothing is running."], "exit code 0, but"),
        (["$ false"], "exit code 1, but"),
        (["$ false", "exit code 1"], "exit code 1, but"),
        (['$ false || echo "exit code $?"', "exit code 2"], "+exit code 1"),
        (['$ true || echo "exit code $?"', "exit code 1"], "-exit code 1"),
        (["$ export LAKEHOUSE__ROOT=lake"], "+LAKEHOUSE__ROOT must be under ~"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_a_page_shows_wrongly_is_found(lines: list[str], words: str) -> None:
    _, found = run_page(console("$ true", *lines))
    assert any(words in problem for problem in found.problems), found.problems


def test_a_problem_names_the_page_and_the_line(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(console("$ echo one", "one", "$ echo two", "three"))
    (told,) = problems_of(page)
    assert told.startswith(f"{page}:6: $ echo two\n")
    assert told.endswith("-three\n+two")


def test_a_page_is_not_rewritten_around_an_unexpected_failure(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(console("$ echo one", "$ lakehouse history gold.nothing"))
    before = page.read_text()
    with pytest.raises(WrongPage, match="exit code 2"):
        rewrite(page)
    assert page.read_text() == before


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("# Only words\n", "no command"),
        (console("$ lakehouse status", language="text"), "no command"),
        (console("$ lakehouse status", language="bash"), "belong in a text block"),
        (console("$ lakehouse status", language=""), "belong in a text block"),
        (console("Nothing is running.", "$ lakehouse status"), "page:4: an output without"),
        ("```console\n$ lakehouse status\n", "does not end"),
    ],
)
def test_a_page_whose_commands_would_not_be_run_is_refused(page: str, words: str) -> None:
    with pytest.raises(WrongPage, match=words):
        commands_of(page)


def test_a_missing_page_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongPage, match="there is no such page"):
        problems_of(tmp_path / "page.md")


def test_all_consoles_of_a_page_are_one_session_wherever_they_stand() -> None:
    first = console("$ echo one > file", before="```python\nprint(1)\n```\n")
    item = "- In a list:\n  ````console\n  $ cat file\n  one\n  ```\n  ````\n"
    commands = commands_of(first + item)
    assert [(command.text, command.shown) for command in commands] == [
        ("echo one > file", []),
        ("cat file", ["one", "```"]),
    ]


def test_what_a_page_starts_ends_with_it_and_its_home_is_not_told() -> None:
    with new_console() as console:
        code, _ = console.run("lakehouse up exchange")
        assert code == 0
        assert console.run("pwd") == (0, ["~"])
        ((pid, home),) = [
            (process.pid, console.home)
            for process in psutil.process_iter(["cmdline"])
            if "lakehouse.simulated" in (process.info["cmdline"] or [])
            and process.environ().get("HOME") == str(console.home)
        ]
    assert not psutil.pid_exists(pid)
    assert not home.exists()


def test_a_page_was_written_at_the_last_moment_it_tells_of_that_has_been() -> None:
    lines = ["from 2026-01-05 00:00", "Run 20261122T100000-0a1b2c", "until 2100-01-01"]
    assert latest_moment(lines, NOW) == WRITTEN


TABLE = """
┏━━━━━━┳━━━━━━━━━┳━━━━━━━━━┓
┃ name ┃ process ┃ rows    ┃
┡━━━━━━╇━━━━━━━━━╇━━━━━━━━━┩
│ {}  │ {} │  {} │
└──────┴─────────┴─────────┘
"""


@pytest.mark.parametrize(
    ("shown", "real"),
    [
        ("┏━━━┓\n│ a │ b │", "┏━━━━━━━━┓\n│ a     │   b │"),
        ("Run 20261122T101500-0a1b2c: done", "Run 20270203T145900-d00f00: done"),
        ("committed 2026-11-22 10:15:01", "committed 2027-02-03 14:59:00"),
        ('"at": "2026-11-22T10:15:01.123456Z"', '"at": "2027-02-03T14:59:00Z"'),
        ("on 2026-11-22", "on 2027-02-03"),
        ("release 2026-11-22T10-15-01", "release 2027-02-03T14-59-00"),
        ("release r20261122T101501", "release r20270203T145900"),
        ("build-0a1b2c3d4e5f", "build-111111111111"),
        ("letter 0a1b2c3d", "letter 12345678"),
        ("1b4e28ba-2fa1-11d2-883f-0016d3cca427", "6fa459ea-ee8a-3ca4-894e-db77e160355e"),
        ("127.0.0.1:40001 (process 17)", "127.0.0.1:51 (process 4242)"),
        ("12,345 bytes, 1.2 MB in 0.81 s", "7 bytes, 31.44 MB in 1 s"),
        ('"size_bytes": 17, "seconds": 0.1', '"size_bytes": 4242, "seconds": 1e-05'),
        (TABLE.format("a", 17, 5), TABLE.format("a", 4242, 5)),
        ("fetched BTCUSD 1h\nfetched BTCUSD 1d", "fetched BTCUSD 1d\nfetched BTCUSD 1h"),
    ],
)
def test_what_differs_between_runs_does_not_count(shown: str, real: str) -> None:
    compared = Comparison(WRITTEN, NOW)
    assert compared.difference(shown.splitlines(), real.splitlines()) == []


@pytest.mark.parametrize(
    ("shown", "real"),
    [
        ("│ a │ b │", "│ a │ c │"),
        ("candle 2026-01-05 03:00", "candle 2026-01-05 04:00"),
        ("candle 2026-01-05T03:00:00Z", "candle 2026-01-06T03:00:00Z"),
        ("candle 2026-01-05 03:00", "candle 2027-02-03 14:59"),
        ("at 2026-11-22 10:15", "at 2026-01-05 03:00"),
        ("at 2026-11-22 10:15", "at 2027-02-03 14:59:01"),
        ("at 2026-11-22 10:15", "never"),
        ("at 2026-99-99", "at 2026-99-98"),
        ("1767571200000", "1767571260000"),
        ("close 0.12345678", "close 0.12345679"),
        ("41,351.37", "40,234.99"),
        ("letter 0a1b2c3d", "letter 0a1b2c3d4e"),
        ("48 candles", "47 candles"),
        ('"rows": 48', '"rows": 47'),
        (TABLE.format("a", 17, 5), TABLE.format("a", 17, 6)),
        (TABLE.format("a", 17, 5), TABLE.format("b", 17, 5)),
        (TABLE.format("a", 17, 5), TABLE.format("a", "none", 5)),
        ("one\ntwo", "two\none"),
        ("one", "one\ntwo"),
        ("one", ""),
    ],
)
def test_everything_else_counts(shown: str, real: str) -> None:
    compared = Comparison(WRITTEN, NOW)
    assert compared.difference(shown.splitlines(), real.splitlines()) != []
