"""RESULTS.md: a benchmark writes its section between its marks, and leaves the rest alone."""

from __future__ import annotations

import argparse
import re
import signal
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.machine import machine

RESULTS = Path(__file__).with_name("RESULTS.md")


def parser(description: str | None, rounds: int = 3) -> argparse.ArgumentParser:
    """The flags that all benchmarks of these have. Told to end, they end what they started."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))
    found = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    found.add_argument("--rounds", type=int, default=rounds)
    found.add_argument("--engines", type=names, default=["sail", "spark"], help="sail,spark")
    found.add_argument(
        "--results", type=Path, default=RESULTS, help="the file with the marks; '-': print only"
    )
    return found


def names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def numbers(text: str) -> list[float]:
    return [float(name) for name in names(text)]


def whole_numbers(text: str) -> list[int]:
    return [int(name) for name in names(text)]


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    cells = ([str(cell).replace("|", "/") for cell in line] for line in lines)
    return "\n".join("| " + " | ".join(line) + " |" for line in cells)


def publish(results: Path, name: str, *parts: str) -> None:
    """Print the section, and put it between its marks; at the end of a file without them."""
    command = " ".join(["python -m", f"benchmarks.{name}", *without_results(sys.argv[1:])])
    told = f"`{command}`, {datetime.now(UTC):%Y-%m-%d}, {machine()}."
    text = "\n\n".join([told, *parts])
    print(text)
    if str(results) != "-":
        put(results, name, text)


def without_results(arguments: list[str]) -> list[str]:
    if "--results" not in arguments:
        return arguments
    at = arguments.index("--results")
    return arguments[:at] + arguments[at + 2 :]


def put(results: Path, name: str, text: str) -> None:
    first, last = f"<!-- bench:{name} -->", f"<!-- /bench:{name} -->"
    section = f"{first}\n{text}\n{last}"
    written = results.read_text() if results.exists() else ""
    if first in written:
        pattern = re.compile(f"{re.escape(first)}.*?{re.escape(last)}", re.DOTALL)
        results.write_text(pattern.sub(lambda _: section, written))
    else:
        results.write_text(f"{written}\n{section}\n")
