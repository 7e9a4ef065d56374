"""Asking an engine: the states of the lake, and the seconds of cold and of warm asks."""

from __future__ import annotations

import shutil
import time
from collections import defaultdict
from datetime import date, timedelta
from pathlib import Path

import polars as pl
from pyspark.sql import SparkSession

from benchmarks.candles import write_parquet
from benchmarks.questions import INDICATORS, SILVER, TOGETHER, Question
from benchmarks.sides import Lake
from lakehouse.engine import connect
from lakehouse.queries import run_query

LAST_DAY = date(2025, 9, 28)
ORDERED = (SILVER, INDICATORS, TOGETHER)
STATES = ("as built", "optimised", "Z-ordered")
Answers = dict[str, pl.DataFrame]
Taken = dict[str, list[float]]
"""Seconds by question."""
WARM_UPS = 2


def built(home: Path, assets: int, days: int, landings: int) -> Lake:
    """A lake that so many landings made, each of some days."""
    lake = Lake(home / "built", "sail")
    each = max(1, days // landings)
    for number in range(landings):
        first = LAST_DAY - timedelta(days=each * (landings - number) - 1)
        source = home / f"part-{number}"
        lake.land(source / "*.parquet", write_parquet(source, assets, each, first))
        shutil.rmtree(source)
    lake.down()
    return lake


def in_states(model: Lake, engine: str) -> dict[str, Lake]:
    """A copy for each state, which all have engines of their own: all are equally warm."""
    found = {}
    for state in STATES:
        lake = Lake(model.root.with_name(f"{engine}-{state.replace(' ', '-')}"), engine)
        shutil.copytree(model.root, lake.root, ignore=shutil.ignore_patterns(".services"))
        if state == "optimised":
            lake("optimize")
        elif state == "Z-ordered":
            for table in ORDERED:
                lake("optimize", table, "--zorder", "asset_pair,timestamp")
        found[state] = lake
    return found


def ask(session: SparkSession, lake: Lake, question: Question) -> tuple[float, pl.DataFrame]:
    """Seconds until the rows are here, and the rows."""
    began = time.perf_counter()
    frame = run_query(session, lake.settings, question.sql, None, question.release)
    answer = frame.toArrow()
    seconds = time.perf_counter() - began
    found = pl.DataFrame(answer)
    found.columns = [str(number) for number in range(found.width)]  # engines name as they like
    return seconds, found


def cold(lake: Lake, asked: list[Question]) -> Taken:
    """Each question has a new engine."""
    taken: Taken = {}
    for question in asked:
        lake.down()
        session = connect(lake.settings)
        taken[question.name] = [ask(session, lake, question)[0]]
        session.stop()
    return taken


def warm(
    lakes: dict[str, Lake], asked: list[Question], rounds: int
) -> dict[str, tuple[Taken, Answers]]:
    """By state; WARM_UPS rounds do not count. States take turns."""
    sessions = {state: connect(lake.settings) for state, lake in lakes.items()}
    found: dict[str, tuple[Taken, Answers]] = {state: (defaultdict(list), {}) for state in lakes}
    for number in range(WARM_UPS + rounds):
        for state, (taken, answers) in found.items():
            for question in asked:
                seconds, answers[question.name] = ask(sessions[state], lakes[state], question)
                if number >= WARM_UPS:
                    taken[question.name].append(seconds)
    for session in sessions.values():
        session.stop()
    return found
