"""Runs what the pages in docs/ show, on an empty lake a page, and compares or rewrites the outputs.

A page's ```console blocks are one session. `python -m tests.e2e.documented [PAGE …]` puts the real
outputs into the pages where they say something else; it touches nothing but outputs.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from lakehouse import services
from lakehouse.places import PROJECT
from tests.e2e.forks import HANGS_AFTER, started
from tests.e2e.lakes import COMMAND, Lake, new_lake
from tests.e2e.outputs import Comparison, latest_moment

PAGES = tuple(f"docs/{name}.md" for name in ("gaps", "releases", "knowledge", "explain", "backup"))
FENCE = re.compile(r"(\s*)(`{3,}|~{3,})\s*(\S*)")
PROMPT = "$ "
QUOTED = re.compile(r"'[^']*'|\"(?:[^\"\\`$]|\\.|\$(?!\())*\"")
# What only a shell can do; a command without it is run by a fork.
SHELL = re.compile(r"[|&;<>()`]")
ARGUMENTS = 'lakehouse() { printf "%s\\0" "$@"; }\n'
ERROR = "Error:"
# How a page shows with which code a command ends.
CODE = "exit code "
TELLS_CODE = re.compile(r'\s*\|\| echo "exit code \$\?"\s*$')
# They change what is printed.
TERMINALS = ("COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
HOME = "~"


class WrongPage(Exception):
    """A page that cannot be run as it stands; it says where and why."""


@dataclass(frozen=True, slots=True)
class Command:
    """What is typed at a line of a page, and the lines of the page that are its output."""

    line: int
    text: str
    shown: list[str]
    output: slice
    indent: str


@dataclass(frozen=True, slots=True)
class Found:
    """A command of a page, what it really said, and in which lines that differs.

    `failure` says what is wrong with its exit code, if anything is.
    """

    command: Command
    real: list[str]
    difference: list[str]
    failure: str

    @property
    def problems(self) -> list[str]:
        return [*filter(None, [self.failure]), *self.difference]


def commands_of(page: str, name: str = "page") -> list[Command]:
    """The commands of a page's consoles, in order. Raises WrongPage."""
    commands: list[Command] = []
    lines = page.splitlines()
    for first, last, indent in _consoles(lines, name):
        here = [line.removeprefix(indent) for line in lines[first:last]]
        commands += _commands(here, first, indent, name)
    if not commands:
        raise WrongPage(f"{name}: no command in any console")
    return commands


def _consoles(lines: list[str], name: str) -> Iterator[tuple[int, int, str]]:
    """First line, line after the last, and indentation of each console block."""
    number = 0
    while number < len(lines):
        opened = FENCE.match(lines[number])
        number += 1
        if not opened:
            continue
        indent, fence, language = opened.groups()
        first = number
        while number < len(lines) and not lines[number].strip().startswith(fence):
            number += 1
        if number == len(lines):
            raise WrongPage(f"{name}:{first}: this block does not end")
        if language == "console":
            yield first, number, indent
        elif language != "text" and any(
            line.strip().startswith(PROMPT) for line in lines[first:number]
        ):
            raise WrongPage(f"{name}:{first}: commands that are not run belong in a text block")
        number += 1


def _commands(block: list[str], offset: int, indent: str, name: str) -> Iterator[Command]:
    number = 0
    while number < len(block):
        if not block[number].startswith(PROMPT):
            raise WrongPage(f"{name}:{offset + number + 1}: an output without its command")
        begun = number
        text = block[number].removeprefix(PROMPT)
        number += 1
        while number < len(block) and _goes_on(text):
            text += "\n" + block[number]
            number += 1
        after = number
        while number < len(block) and not block[number].startswith(PROMPT):
            number += 1
        output = slice(offset + after, offset + number)
        yield Command(offset + begun + 1, text, block[after:number], output, indent)


def _goes_on(text: str) -> bool:
    """Whether a quote or a backslash at the end carries the command to the next line."""
    rest = re.sub(r"'[^']*'|\"(?:[^\"\\]|\\.)*\"|\\.", "", text, flags=re.DOTALL)
    rest = re.sub(r"(?:^|\s)#.*", "", rest)
    return text.endswith("\\") or "'" in rest or '"' in rest


@dataclass
class Console:
    """One person's console: a home of its own, which is where it stands, and its variables."""

    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        inherited = Lake(self.home / "lake").environment
        own = {
            "HOME": str(self.home),
            "PWD": str(self.home),
            "PATH": f"{Path(COMMAND).parent}{os.pathsep}{inherited['PATH']}",
            "LC_ALL": "C.UTF-8",
        }
        wanted = {name: value for name, value in inherited.items() if name not in TERMINALS}
        self.environment = {**wanted, **own}

    def run(self, text: str) -> tuple[int, list[str]]:
        """Exit code and output, standard error within it."""
        if TELLS_CODE.search(text):
            code, lines = self.run(TELLS_CODE.sub("", text))
            return 0, [*lines, f"{CODE}{code}"] if code else lines
        first, is_plain = text.split()[0], not SHELL.search(QUOTED.sub("", text))
        if first == "lakehouse" and is_plain:
            code, said = self._forked(text)
        elif first in ("export", "unset"):
            code, said = self._change(text)
        else:
            code, said = self._bash(text)
        return code, [self._at_home(line).rstrip() for line in said.rstrip("\n").splitlines()]

    def _at_home(self, line: str) -> str:
        """The line without this machine's path; a table's cell stays as wide as it was."""
        cells = line.split("│")
        if len(cells) == 1:
            return line.replace(str(self.home), HOME)
        return "│".join(cell.replace(str(self.home), HOME).ljust(len(cell)) for cell in cells)

    def _forked(self, text: str) -> tuple[int, str]:
        """The shell reads the line; what it would start is forked."""
        code, said = self._bash(ARGUMENTS + text)
        if code:
            return code, said
        arguments = tuple(said.split("\0")[:-1])
        file = self.home.with_name("said")
        ran = started(arguments, self.environment, file, file, self.home).ended()
        return ran.code, ran.out

    def _change(self, text: str) -> tuple[int, str]:
        code, said = self._bash(f"{text} && env -0")
        if code:
            return code, said
        pairs = (pair.partition("=") for pair in said.split("\0") if pair)
        changed = {name: value for name, _, value in pairs}
        # A relative one would be in the project's folder.
        if not Path(changed.get("LAKEHOUSE__ROOT", "")).is_relative_to(self.home):
            return 1, f"LAKEHOUSE__ROOT must be under {HOME}\n"
        self.environment = changed
        return 0, ""

    def _bash(self, text: str) -> tuple[int, str]:
        ran = subprocess.run(  # noqa: S603 - the pages are ours
            ["/bin/bash", "-c", text],
            cwd=self.home,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=HANGS_AFTER,
            check=False,
        )
        return ran.returncode, ran.stdout


@contextmanager
def new_console() -> Iterator[Console]:
    """A console in an empty home; what its commands start ends with the block."""
    with TemporaryDirectory(prefix="console-") as folder:
        home = Path(folder).resolve() / "home"
        try:
            with new_lake(home / "lake"):
                yield Console(home)
        finally:
            for state in home.rglob(".services"):
                services.stop_all(state.parent)


def run_page(page: str, name: str = "page") -> Iterator[Found]:
    """Run a page's commands one after the other. Raises WrongPage."""
    commands = commands_of(page, name)
    shown = [line for command in commands for line in command.shown]
    written = latest_moment(shown, datetime.now(UTC))
    with new_console() as console:
        for command in commands:
            code, real = console.run(command.text)
            comparison = Comparison(written, datetime.now(UTC))
            difference = comparison.difference(command.shown, real)
            yield Found(command, real, difference, _failure(code, command.shown))


def _failure(code: int, shown: Sequence[str]) -> str:
    """A command may fail where the page shows an error, and must do so there.

    Where the page tells the code, that is compared as the output is.
    """
    is_told = bool(shown) and shown[-1].startswith(CODE)
    is_error_shown = bool(shown) and shown[0].startswith(ERROR) and not is_told
    if code != 0 and not is_error_shown:
        return f"exit code {code}, but the page shows no output that begins with {ERROR}"
    if code == 0 and is_error_shown:
        return f"exit code 0, but the page shows an output that begins with {ERROR}"
    return ""


def problems_of(path: Path) -> list[str]:
    """What is wrong with a page, as text for people. Raises WrongPage."""
    name = _name_of(path)
    return [_told(name, found) for found in run_page(_text(path), name) if found.problems]


def rewrite(path: Path) -> bool:
    """Put the real outputs into a page if any differs; whether one did.

    Raises WrongPage, also if a command fails where the page shows no error or the other way round.
    """
    page, name = _text(path), _name_of(path)
    found = list(run_page(page, name))
    for one in found:
        if one.failure:
            raise WrongPage(_told(name, one))
    if not any(one.difference for one in found):
        return False
    lines = page.splitlines()
    for one in reversed(found):
        indent = one.command.indent
        lines[one.command.output] = [(indent + line).rstrip() for line in one.real]
    path.write_text("\n".join(lines) + "\n")
    return True


def _told(name: str, found: Found) -> str:
    place = f"{name}:{found.command.line}: $ {found.command.text}"
    return "\n".join([place, *found.problems])


def _text(path: Path) -> str:
    if not path.exists():
        raise WrongPage(f"{_name_of(path)}: there is no such page")
    return path.read_text()


def _name_of(path: Path) -> str:
    return str(path.relative_to(PROJECT)) if path.is_relative_to(PROJECT) else str(path)


def main(arguments: Sequence[str]) -> None:
    """Bring pages up to date, all without an argument; exit code 1 if one cannot be run."""
    try:
        for page in arguments or PAGES:
            is_rewritten = rewrite(PROJECT / page)
            sys.stdout.write(f"{page}: {'rewritten' if is_rewritten else 'unchanged'}\n")
    except WrongPage as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
