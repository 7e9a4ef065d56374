"""Whether an output is the one that was shown, but for what differs between two runs.

Column widths, ids, ports, process ids, sizes and seconds never count. A moment counts unless it is
about now in the one and about when the page was written in the other: candle times stay checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import unified_diff
from itertools import groupby

AROUND = timedelta(hours=36)  # a date without its time may be a day off
LONG_AGO = datetime.min.replace(tzinfo=UTC)

BOXES = re.compile(r"[\s\u2500-\u257f]+")
# They come in the order in which parallel calls end.
PROGRESS = ("fetched ", "failed ", "landed ")
MEASURES = "process|pid|port|bytes|kb|mb|gb|mib|gib|size|seconds|ms"
MEASURE = re.compile(rf"(?:^|_)(?:{MEASURES})(?:_|$)")
NUMBER = re.compile(r"-?\d[\d,.]*")
FIELD = re.compile(r'"(\w+)": "?-?\d[\d.,eE+-]*"?')
MASKS = (
    (re.compile(r"\b\d{8}T\d{6}-[0-9a-f]{6}\b"), "<run>"),
    (re.compile(r"\bbuild-[0-9a-f]{6,}\b"), "<build>"),
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "<id>"),
    (re.compile(r"(?<=127\.0\.0\.1:)\d+|(?<=localhost:)\d+"), "<port>"),
    (re.compile(r"\b(process|pid|port) \d+\b"), r"\1 <number>"),
    (re.compile(r"(?<![\w.,])\d[\d,.]*\s?(?:ms|s|seconds?)\b"), "<duration>"),
    (re.compile(r"(?<![\w.,])\d[\d,.]*\s?(?:bytes?|[kKMG]i?B|B)\b"), "<size>"),
)
DAY, ZONE = r"\d{4}-\d\d-\d\d", r"(?:\.\d+)?(?:Z|\+00:?00)?"
SPOKEN = rf"{DAY}(?: \d\d:\d\d(?::\d\d{ZONE})?)?"
WRITTEN = rf"(?:{DAY}|\d{{8}})T\d\d[:-]?\d\d(?:[:-]?\d\d)?{ZONE}"
MOMENT = rf"(?<!\d)(?:{WRITTEN}|{SPOKEN})(?!\d)"
HEX = r"(?<![0-9A-Za-z.,])[0-9a-f]{8,}(?![0-9A-Za-z])"
VARYING = re.compile(f"({MOMENT}|{HEX})")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Compares outputs of a page, written and run at those moments."""

    written: datetime
    now: datetime

    def difference(self, shown: Sequence[str], real: Sequence[str]) -> list[str]:
        """The lines of a diff; none where the outputs say the same."""
        wanted, found = list(_normal(shown)), list(_normal(real))
        is_same = len(wanted) == len(found) and all(map(self.is_alike, wanted, found))
        if is_same:
            return []
        known = [next((f for f in found if self.is_alike(w, f)), w) for w in wanted]
        return list(unified_diff(known, found, "shown", "real", lineterm="", n=2))

    def is_alike(self, shown: str, real: str) -> bool:
        """Whether two lines, already without widths and numbers that vary, say the same."""
        wanted, found = VARYING.split(shown), VARYING.split(real)
        return len(wanted) == len(found) and all(
            one == other or (number % 2 == 1 and self._is_as_variable(one, other))
            for number, (one, other) in enumerate(zip(wanted, found, strict=True))
        )

    def _is_as_variable(self, shown: str, real: str) -> bool:
        then, now = moment_of(shown), moment_of(real)
        if then and now:
            is_recent = _is_around(then, self.written) and _is_around(now, self.now)
            return is_recent and _shape(shown) == _shape(real)
        # Digits alone are a number in the one, unless they are an id in the other.
        is_id = re.fullmatch(HEX, shown) and re.fullmatch(HEX, real) and len(shown) == len(real)
        return bool(is_id) and not (shown + real).isdigit()


def latest_moment(lines: Sequence[str], now: datetime) -> datetime:
    """The last moment that they tell of and that has been: when a page with them was written."""
    told = (moment_of(part) for line in lines for part in VARYING.findall(line))
    return max((moment for moment in told if moment and moment <= now), default=LONG_AGO)


def moment_of(text: str) -> datetime | None:
    """The moment, in UTC; None where the text is none."""
    if not re.fullmatch(MOMENT, text):
        return None
    digits = re.sub(r"\D", "", text.split(".")[0].removesuffix("+00:00"))[:14]
    try:
        return datetime.strptime(digits.ljust(14, "0"), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def _is_around(moment: datetime, other: datetime) -> bool:
    return abs(moment - other) <= AROUND


def _shape(moment: str) -> str:
    """Whole seconds are told without a fraction."""
    return re.sub(r"\d", "0", re.sub(r"\.\d+", "", moment))


def _normal(lines: Sequence[str]) -> Iterator[str]:
    plain = [line for line in map(_masked, _without_measures(lines)) if line]
    for is_progress, group in groupby(plain, lambda line: line.startswith(PROGRESS)):
        same = list(group)
        yield from sorted(same) if is_progress else same


def _masked(line: str) -> str:
    line = FIELD.sub(lambda found: _field(found[1], found[0]), BOXES.sub(" ", line).strip())
    for pattern, mask in MASKS:
        line = pattern.sub(mask, line)
    return line


def _field(name: str, text: str) -> str:
    return f'"{name}": <number>' if MEASURE.search(name) else text


def _without_measures(lines: Sequence[str]) -> Iterator[str]:
    """The lines, with the cells of a table masked whose column is a measure that varies."""
    names: list[str] = []
    is_header = False
    for line in lines:
        if "┃" in line:
            cells = _cells(line, "┃")
            is_folded = is_header and len(cells) == len(names)
            names = [n + c for n, c in zip(names, cells, strict=True)] if is_folded else cells
            is_header = True
        elif "│" in line and len(cells := _cells(line, "│")) == len(names):
            is_header = False
            yield "│".join(map(_measured, names, cells))
            continue
        else:
            is_header = False
        yield line


def _cells(line: str, border: str) -> list[str]:
    return [cell.strip() for cell in line.split(border)[1:-1]]


def _measured(name: str, cell: str) -> str:
    return "<number>" if MEASURE.search(name) and NUMBER.fullmatch(cell) else cell
