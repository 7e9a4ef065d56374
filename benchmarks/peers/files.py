"""The files of a folder, asset by asset."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

BYTES_AT_ONCE = 10_000_000
"""Of the input. More took longer, not only more memory."""

Files = dict[tuple[str, str], list[Path]]
"""By symbol and timeframe."""


def found_files(folder: Path, timeframes: Iterable[str]) -> Files:
    """Asset by asset, the finest timeframe first."""
    found: Files = defaultdict(list)
    for file in sorted(folder.glob("*.parquet")):
        symbol, timeframe, _ = file.stem.split("-", 2)
        found[symbol, timeframe].append(file)
    symbols = sorted({symbol for symbol, _ in found})
    keys = ((symbol, name) for symbol in symbols for name in timeframes)
    return {key: found[key] for key in keys if key in found}


def some_at_once(files: Files) -> Iterator[Files]:
    """The files of whole assets, until they are BYTES_AT_ONCE."""
    some: Files = {}
    size = 0
    for _, of_symbol in groupby(files.items(), lambda item: item[0][0]):
        for key, found in of_symbol:
            some[key] = found
            size += sum(file.stat().st_size for file in found)
        if size >= BYTES_AT_ONCE:
            yield some
            some, size = {}, 0
    if some:
        yield some
