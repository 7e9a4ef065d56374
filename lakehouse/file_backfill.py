"""Backfill from files: the same gate, bronze and build as from an exchange, without HTTP."""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pyspark.errors import PySparkException

from lakehouse import dbt_project, ops
from lakehouse.arrivals import Arrival
from lakehouse.backfill import Result, progress, runs
from lakehouse.builds import build
from lakehouse.engine import connect
from lakehouse.errors import NoFiles, UnreadableFile
from lakehouse.files import CandleFile, candle_frame, named_in
from lakehouse.gaps import NO_TRADE, REJECTED, Facts, Window, grid_of, take_in
from lakehouse.gaps.calendars import moment_of
from lakehouse.gate import Gate
from lakehouse.landing import Extent, Lander, Landing, sweep
from lakehouse.outcomes import Recorder
from lakehouse.pipeline import Done
from lakehouse.provenance import record_sources
from lakehouse.settings import Settings
from lakehouse.timeframes import floor, step

# Whoever the files came from, unless --provider says so or the file's shape does.
PROVIDER = "file"


def backfill_files(
    settings: Settings,
    pattern: str,
    *,
    assets: Sequence[str] = (),
    timeframes: Sequence[str] = (),
    provider: str | None = None,
    with_build: bool = True,
) -> Done:
    """Land every file that matches the glob pattern, each as a batch.

    Raises NoFiles, UnreadableFile, UnknownAsset, UnknownTimeframe, UnknownProvider or
    InvalidSetting; nothing is landed then.
    """
    files = describe(settings, pattern, assets, timeframes, provider)
    for file in files:
        grid_of(settings, file.asset_pair, file.timeframe)
    run_id = runs.new_run_id()
    recorder = Recorder(settings, run_id)
    session = connect(settings)
    sweep(settings)
    with ThreadPoolExecutor(1) as warm_up:
        # The landing mostly waits for the engine.
        if with_build:
            warm_up.submit(dbt_project.preload)
        landing = _land(files, Lander(session, settings, recorder))
    take_in(settings, recorder, _lessons(landing.arrivals.arrivals))
    record_sources(settings, run_id, landing.arrivals.shares)
    _note(settings, run_id, files, landing)
    recorder.flush()
    built = build(session, settings, recorder) if with_build else None
    recorder.write_data_docs()
    return Done(run_id, _result(landing), built)


def _land(files: list[CandleFile], lander: Lander) -> Landing:
    frame = candle_frame(lander.session, files)
    try:
        return lander.land(frame, Gate("bronze.raw_market_data", lander.settings))
    except PySparkException as error:
        # What a worker raises reaches this process as text only.
        if told := re.search(r"UnreadableFile: (\S+) cannot be landed: (.*)", str(error)):
            raise UnreadableFile(path=told[1], problem=told[2].rstrip(".")) from error
        raise


def describe(
    settings: Settings,
    pattern: str,
    assets: Sequence[str] = (),
    timeframes: Sequence[str] = (),
    provider: str | None = None,
) -> list[CandleFile]:
    """What each matching file holds: what its name says, else the one asset or timeframe given.

    Files of assets or timeframes that were not asked for are left out.
    """
    for timeframe in timeframes:
        step(timeframe)
    for asset_pair in assets:
        settings.asset(asset_pair)
    if provider:
        settings.provider_named(provider)
    paths = sorted(str(Path(path).resolve()) for path in glob.glob(pattern, recursive=True))
    found = [_described(settings, path, assets, timeframes, provider or PROVIDER) for path in paths]
    wanted = [file for file in found if _is_wanted(file, assets, timeframes)]
    if not wanted:
        raise NoFiles(pattern=pattern)
    return wanted


def _described(
    settings: Settings, path: str, assets: Sequence[str], timeframes: Sequence[str], provider: str
) -> CandleFile:
    symbol, timeframe = named_in(path)
    asset_pair = _asset_of(settings, symbol) if symbol else None
    asset_pair = asset_pair or _only(path, assets, "--assets", symbol)
    timeframe = timeframe or _only(path, timeframes, "--timeframes", None)
    settings.asset(asset_pair)
    step(timeframe)
    return CandleFile(path, asset_pair, timeframe, provider)


def _asset_of(settings: Settings, symbol: str) -> str | None:
    for asset_pair, asset in settings.assets.items():
        names = {asset_pair, *(re_symbol.replace("-", "") for re_symbol in asset.symbols.values())}
        if symbol in names:
            return asset_pair
    return None


def _only(path: str, given: Sequence[str], flag: str, symbol: str | None) -> str:
    if len(given) == 1:
        return given[0]
    if symbol:
        problem = f"its name says {symbol}, which is no known asset; name it with {flag}"
    else:
        problem = f"its name does not say what it holds; name it with {flag}, one at a time"
    raise UnreadableFile(path=path, problem=problem)


def _is_wanted(file: CandleFile, assets: Sequence[str], timeframes: Sequence[str]) -> bool:
    is_asset = not assets or file.asset_pair in assets
    is_timeframe = not timeframes or file.timeframe in timeframes
    return is_asset and is_timeframe


def _lessons(arrivals: Sequence[Arrival]) -> Facts:
    """What the gap ledger learns: a file is the answer for the time from its first to its last row,
    for nobody knows what was asked."""
    facts = Facts()
    for arrival in arrivals:
        facts.add(arrival.candles, arrival.refused)
        facts.windows.extend(_window(arrival))
    return facts


def _window(arrival: Arrival) -> list[Window]:
    length = step(arrival.series[1])
    rows = [arrival.candles.first, arrival.candles.last] if arrival.candles else []
    for refused in arrival.refused:
        rows += [moment_of(int(end(refused.times))) for end in (min, max)]
    # A time to come was refused for being wrong; it says nothing of how far the file goes.
    opened = [floor(row, length) for row in rows if row + length <= ops.now()]
    gap_class = REJECTED if arrival.untimed else NO_TRADE
    ends = [(min(opened), max(opened) + length)] if opened else []
    return [Window(arrival.series, *end, gap_class, True, arrival.untimed) for end in ends]


def _note(settings: Settings, run_id: str, files: list[CandleFile], landing: Landing) -> None:
    by_batch = {extent.batch_id: extent for extent in landing.extents}
    landed = [(file, by_batch[file.batch_id]) for file in files if file.batch_id in by_batch]
    counts = {verdict.batch_id: verdict.rows for verdict in landing.verdicts}
    attempts = [_attempt(run_id, file, extent, counts[file.batch_id]) for file, extent in landed]
    progress.record(settings, attempts)


def _attempt(run_id: str, file: CandleFile, extent: Extent, rows: int) -> dict[str, Any]:
    return {
        "asset_pair": file.asset_pair,
        "timeframe": file.timeframe,
        "provider": file.provider,
        "window_start": extent.first,
        "window_end": extent.last + step(file.timeframe),
        "status": "landed",
        "served_by": file.path,
        "batch_id": file.batch_id,
        "run_id": run_id,
        "rows_fetched": rows,
    }


def _result(landing: Landing) -> Result:
    return Result(
        rows_fetched=sum(verdict.rows for verdict in landing.verdicts),
        rows_new=landing.rows_new,
        rows_rejected=sum(verdict.rejected for verdict in landing.verdicts),
        quarantined=landing.quarantined,
        dead_letters=landing.dead_letters,
    )
