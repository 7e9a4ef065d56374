"""`kill -9` of the command or of its engine, at any moment: nothing lost, nothing doubled."""

from __future__ import annotations

import random
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lakehouse import services
from tests.e2e.forks import Forked, fork
from tests.e2e.lakes import BRONZE, BUILT, CANDLE, Lake, Ran, new_lake, same
from tests.killing import kill

pytestmark = pytest.mark.e2e

KILLS = 20
WHAT = (
    *("--assets", "BTCUSD,ETHUSD", "--timeframes", "5m,1h,1d"),
    *("--from", "2026-03-02", "--to", "2026-03-04", "--json"),
)
# Several windows and landings, so that a kill finds some of them done.
HOW = ("--window", "6h")
STATE = (*{name.split(".")[0] for name in (*BRONZE, *BUILT)}, "ops", "landing", "staging", "dlq")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lake, float]]:
    """A lake that nobody disturbed, and how many seconds its backfill took on a warm engine."""
    with new_lake(tmp_path_factory.mktemp("undisturbed") / "lake") as lake:
        assert fork(lake, "up", "--no-airflow").ended().code == 0
        since = time.monotonic()
        ran = fork(lake, "backfill", *WHAT, *HOW).ended()
        assert ran.code == 0, ran.err
        yield lake, time.monotonic() - since


def empty(lake: Lake) -> None:
    """Forget all that was landed; what runs goes on running."""
    for name in STATE:
        shutil.rmtree(lake.root / name, ignore_errors=True)


def go_on(lake: Lake) -> Forked:
    """Resume; where nothing was begun yet, begin."""
    has_begun = lake.has("ops.runs")
    return fork(lake, "backfill", *WHAT, *(("--resume",) if has_begun else HOW))


def killed(lake: Lake, victim: str, seconds: float) -> Ran:
    """Run on, and kill the victim after so many seconds, unless the command ends before."""
    command = go_on(lake)
    if not command.has_ended(seconds):
        if victim == "command":
            command.process.kill()
        elif engine := services.find(lake.root, "engine"):
            kill(engine)
    return command.ended()


def assert_untouched(lake: Lake, wanted: Lake) -> None:
    bronze = lake.bronze()
    assert bronze.unique([*CANDLE, "timeframe"]).height == bronze.height
    present = [name for name in BRONZE if wanted.has(name)]
    assert same(lake, wanted, [*present, *BUILT]) == []


def test_twenty_kills_leave_what_an_undisturbed_run_leaves(
    undisturbed: tuple[Lake, float], tmp_path: Path
) -> None:
    wanted, duration = undisturbed
    chance = random.Random(20)  # noqa: S311 - moments, not secrets
    with new_lake(tmp_path / "lake") as lake:
        for kill in range(KILLS):
            victim = "engine" if kill % 4 == 3 else "command"
            ran = killed(lake, victim, chance.uniform(0, duration))
            assert ran.code in ((0, -signal.SIGKILL) if victim == "command" else (0, 1)), ran
            if victim == "engine" and ran.code == 1:
                assert ran.err.splitlines()[-1].startswith("Error: "), ran.err
                assert "Traceback" not in ran.err
            if ran.code == 0:
                assert_untouched(lake, wanted)
                empty(lake)
        final = go_on(lake).ended()
        assert final.code == 0, final.err
        assert_untouched(lake, wanted)
