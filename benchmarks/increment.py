"""One more day, from its files to gold, on a warm engine.

    .venv/bin/python -m benchmarks.increment [--assets 2,10,100] [--history 7]
        [--kept 7,365,1095] [--rounds 3]

Seconds of `lakehouse backfill --files`, the whole command. First for 2, 10 and 100 assets that have
`--history` days and get one more, then for the day of 2 assets onto a week, a year and three years.
Histories were landed on Sail and copied for each engine; a first day more, not counted, warms it.
Every round lands the day that follows. Lakes of an engine take turns, engine after engine.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from datetime import date, timedelta
from pathlib import Path

import yaml

from benchmarks import report
from benchmarks.candles import CANDLES_A_DAY, SYMBOLS, write_parquet
from benchmarks.machine import spread
from benchmarks.sides import Lake, ratios
from lakehouse.places import config_file

FIRST_NEW = date(2025, 9, 1)
FEW = 2
WARM_UPS = 1
Seconds = dict[int, list[float]]


def write_settings(path: Path) -> dict[str, str]:
    """The settings' file with all of SYMBOLS as assets, and the variable that names it."""
    content = yaml.safe_load(config_file().read_text())
    for symbol in SYMBOLS:
        base, pair = symbol.removesuffix("USDT"), symbol.removesuffix("T")
        entry = {"base": base, "quote": "USD", "symbols": {"binance": symbol}}
        content["assets"].setdefault(pair, entry)
    path.write_text(yaml.safe_dump(content))
    return {"LAKEHOUSE_CONFIG": str(path)}


def history(home: Path, assets: int, days: int, variables: dict[str, str]) -> Lake:
    """A lake whose last day is the one before FIRST_NEW."""
    lake = Lake(home / f"{assets}-assets-{days}-days", "sail", variables)
    source = home / "history"
    rows = write_parquet(source, assets, days, FIRST_NEW - timedelta(days=days))
    try:
        lake.land(source / "*.parquet", rows)
    finally:
        lake.down()
        shutil.rmtree(source)
    return lake


def days_landed(copies: dict[int, tuple[Lake, int]], days: Path, rounds: int) -> Seconds:
    """Each lake, with its number of assets, gets day after day; the seconds of those that count."""
    taken: Seconds = {key: [] for key in copies}
    try:
        for number in range(WARM_UPS + rounds):
            for key, (lake, assets) in copies.items():
                day = FIRST_NEW + timedelta(days=number)
                source = days / f"{assets}-{day}"
                rows = write_parquet(source, assets, 1, day)
                seconds = lake.land(source / "*.parquet", rows).seconds
                print(f"{lake.root.name}: {seconds:.1f} s", file=sys.stderr, flush=True)
                if number >= WARM_UPS:
                    taken[key].append(seconds)
    finally:
        for lake, _ in copies.values():
            lake.down()
            shutil.rmtree(lake.root)
    return taken


def measured(
    home: Path, lakes: dict[int, tuple[Lake, int]], flags: argparse.Namespace
) -> dict[str, Seconds]:
    """By engine, the seconds of each lake's copy."""
    found = {}
    for engine in flags.engines:
        copies = {}
        for key, (lake, assets) in lakes.items():
            copy = Lake(home / f"{engine}-{lake.root.name}", engine, lake.variables)
            shutil.copytree(lake.root, copy.root, ignore=shutil.ignore_patterns(".services"))
            copies[key] = copy, assets
        found[engine] = days_landed(copies, home / "days", flags.rounds)
    for lake, _ in lakes.values():
        shutil.rmtree(lake.root)
    return found


def by_assets(found: dict[str, Seconds]) -> str:
    engines = list(found)
    rows = [
        [
            f"{key} assets, {CANDLES_A_DAY * key:,} candles",
            *(spread(found[e][key]) for e in engines),
        ]
        for key in found[engines[0]]
    ]
    return report.table(["one more day of", *map(str.capitalize, engines)], rows)


def by_history(found: dict[str, Seconds]) -> str:
    engines = list(found)
    kept = sorted(found[engines[0]])
    rows = [[f"{key} days", *(spread(found[e][key]) for e in engines)] for key in kept]
    last = [statistics.median(ratios(found[e][kept[-1]], found[e][kept[0]])) for e in engines]
    rows.append([f"{kept[-1]} days to {kept[0]}", *(f"{ratio:.2f}" for ratio in last)])
    return report.table([f"a day of {FEW} assets onto", *map(str.capitalize, engines)], rows)


def main() -> None:
    parser = report.parser(__doc__)
    parser.add_argument("--assets", type=report.whole_numbers, default=[2, 10, 100])
    parser.add_argument("--history", type=int, default=7)
    parser.add_argument("--kept", type=report.whole_numbers, default=[7, 365, 1095])
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        named = write_settings(home / "lakehouse.yml")
        tables = []
        if flags.assets:
            sized = {n: (history(home, n, flags.history, named), n) for n in flags.assets}
            tables.append(by_assets(measured(home, sized, flags)))
        if flags.kept:
            kept = {days: (history(home, FEW, days, named), FEW) for days in flags.kept}
            tables.append(by_history(measured(home, kept, flags)))
    report.publish(flags.results, "increment", *tables)


if __name__ == "__main__":
    main()
