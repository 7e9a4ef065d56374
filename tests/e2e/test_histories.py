"""Random histories of a lake, held against a small model after every step.

Landings, corrections, late candles, outages, refused rows, builds, rollbacks, vacuums, and kills
between any two commits: gaps, releases and reads as of a time always agree with the model. Every
step is a real command in a process of its own. HISTORIES=20 tries so many of them.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, QueryBuilder

from lakehouse import Lakehouse
from lakehouse.gaps import read_gaps
from lakehouse.releases import kept_releases
from tests.conftest import settings_for
from tests.e2e.forks import fork
from tests.e2e.history_model import Candles, Model
from tests.e2e.lakes import Lake, new_lake
from tests.e2e.tiny_exchange import HOUR_MS, TinyExchange, tiny_exchange

pytestmark = pytest.mark.e2e

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
HOURS = 72
KEPT = 3
ENRICHED = "silver.market_data_enriched"
TECHNICAL = "gold.mart_technical_indicators"
BRONZE = "bronze.raw_market_data_1h"
BEGINNING = ("land", "build", "land", "build")
GOING_ON = ("land",) * 5 + ("build",) * 3 + ("roll_back",) * 3 + ("optimize_and_vacuum",) * 2
KILLED = 0.5  # share of the commands that can be killed


class History:
    """One lake, one source, one model, and chance."""

    def __init__(self, lake: Lake, exchange: TinyExchange, seed: int) -> None:
        self.lake, self.exchange = lake, exchange
        self.chance = random.Random(seed)  # noqa: S311 - a history, not a secret
        self.settings = settings_for(lake.root, engine="sail")
        self.model = Model()
        self.price = 100.0
        self.kills = 0
        self.met: set[str] = set()
        # What was there at a time: bronze and silver, and what silver knew.
        self.seen: list[tuple[datetime, Candles, Candles]] = []
        self.known: list[tuple[datetime, Candles]] = []
        self.say_all(0, HOURS, self.fresh)
        self.say_all(5, 1, lambda: -self.fresh())
        self.say_all(20, 2, lambda: None)

    def steps(self) -> Iterator[str]:
        yield from BEGINNING
        yield from self.chance.sample(GOING_ON, len(GOING_ON))

    def take(self, step: str) -> None:
        """One command, after the source changed its mind, and all that must be true after it."""
        for _ in range(self.chance.randint(0, 2)):
            self.change_the_source()
        getattr(self, step)()
        self.gaps_agree()
        self.tables_agree()

    def change_the_source(self) -> None:
        hour = self.chance.randrange(HOURS)
        match self.chance.choice(("correct", "silent", "silent", "broken", "down")):
            case "correct":
                self.say(hour, self.fresh())
            case "silent":
                self.say_all(hour, self.chance.choice((1, 3, 30)), lambda: None)
            case "broken":
                self.say_all(hour, self.chance.choice((1, 4)), lambda: -self.fresh())
            case "down":
                self.exchange.is_down = not self.exchange.is_down

    def say_all(self, first: int, hours: int, close: Callable[[], float | None]) -> None:
        for hour in range(first, min(first + hours, HOURS)):
            self.say(hour, close())

    def say(self, hour: int, close: float | None) -> None:
        """What the source says of the hour from now on."""
        self.exchange.closes.pop(ms(hour), None)
        if close is not None:
            self.exchange.closes[ms(hour)] = close

    def fresh(self) -> float:
        """A price that nobody named before."""
        self.price += 0.5
        return self.price

    def land(self) -> None:
        first = self.chance.randrange(0, HOURS, 6) if self.model.horizon else 0
        asked = range(first, min(first + 6 * self.chance.randint(4, 8), HOURS))
        times = ("--from", moment_of(asked.start), "--to", moment_of(asked.stop))
        what = ("--assets", "BTCUSD", "--timeframes", "1h", "--provider", "binance")
        self.do("backfill", *what, *times, "--force", "--no-build")
        said = {hour: self.exchange.closes.get(ms(hour)) for hour in asked}
        sent = {hour: close for hour, close in said.items() if close is not None}
        self.model.land(asked, sent, self.exchange.is_down)

    def build(self) -> None:
        self.do("build", leads_to=self.model.bronze)
        self.model.silver = self.model.bronze
        self.known.append((datetime.now(UTC), self.model.silver))

    def roll_back(self) -> None:
        if not self.model.releases:
            return
        name, wanted = self.chance.choice(sorted(self.model.releases.items()))
        self.do("release", "rollback", name, leads_to=wanted)
        self.model.silver, self.known = wanted, []

    def optimize_and_vacuum(self) -> None:
        self.reads_of_the_past_agree()
        self.do("optimize", is_killed=False)
        self.do("vacuum", "--retention-hours", "0", "--allow-short-retention", is_killed=False)
        kept = [release.name for release in kept_releases(self.settings)]
        assert len(kept) <= KEPT
        self.model.releases = {name: self.model.releases[name] for name in kept}
        self.seen = []

    def do(
        self, *command: str, leads_to: Candles | None = None, is_killed: bool | None = None
    ) -> None:
        """Run the command; killed at some commit, it is run again. Readers of the latest release
        see what there was or what it leads to, whenever they look."""
        may_be = [self.model.silver, self.model.silver if leads_to is None else leads_to]
        if is_killed is None and self.chance.random() < KILLED:
            self.kills += killed(self.lake, command, commits=self.chance.randint(1, 12))
            self.take_down_releases(may_be)
        ran = fork(self.lake, *command).ended()
        assert ran.code == 0 or (command[0] == "backfill" and ran.code == 1), (command, ran.err)
        self.take_down_releases(may_be[1:])

    def take_down_releases(self, may_be: list[Candles]) -> None:
        """Every kept release holds what it always held; a new one holds one of these."""
        for release in kept_releases(self.settings):
            held = self.closes(ENRICHED, release.version_of(ENRICHED))
            assert held == self.closes(TECHNICAL, release.version_of(TECHNICAL))
            assert held in may_be or release.name in self.model.releases
            assert self.model.releases.setdefault(release.name, held) == held

    def gaps_agree(self) -> None:
        found = [
            (hour_of(gap.start), hour_of(gap.end), gap.gap_class)
            for gap in read_gaps(self.settings)
        ]
        assert sorted(found) == self.model.gaps()
        self.met |= {gap_class for _, _, gap_class in found}

    def tables_agree(self) -> None:
        assert self.closes(BRONZE) == self.model.bronze
        assert self.closes(ENRICHED) == self.model.silver
        self.seen.append((datetime.now(UTC), self.model.bronze, self.model.silver))

    def reads_of_the_past_agree(self) -> None:
        lake = Lakehouse(self.settings)
        try:
            self.past_agrees(lake)
        finally:
            lake.session.stop()

    def past_agrees(self, lake: Lakehouse) -> None:
        for moment, bronze, silver in self.seen:
            for table, held in ((BRONZE, bronze), (ENRICHED, silver)):
                if held:
                    rows = lake.sql(f"select * from {table}", as_of=moment).toArrow()
                    assert closes_in(rows) == held
        for moment, silver in self.known:
            assert closes_in(lake.point_in_time(ENRICHED, moment).toArrow()) == silver

    def closes(self, table: str, version: int | None = None) -> Candles:
        """The close of each hour, of bronze the one that landed last."""
        path = str(self.lake.root.joinpath(*table.split(".")))
        if not DeltaTable.is_deltatable(path):
            return {}
        at = DeltaTable(path, version=version)
        rows = QueryBuilder().register("rows", at).execute("SELECT * FROM rows").read_all()
        return closes_in(pa.table(rows))


def closes_in(rows: pa.Table) -> Candles:
    order = "ingested_at" if "ingested_at" in rows.column_names else "timestamp"
    listed = sorted(rows.select(["timestamp", "close", order]).to_pylist(), key=lambda r: r[order])
    return {hour_of(row["timestamp"]): row["close"] for row in listed}


def hour_of(moment: datetime) -> int:
    return int((moment - BEGIN) / timedelta(hours=1))


def moment_of(hour: int) -> str:
    return f"{BEGIN + timedelta(hours=hour):%Y-%m-%dT%H:%M}"


def ms(hour: int) -> int:
    return int(BEGIN.timestamp() * 1000) + hour * HOUR_MS


def killed(lake: Lake, command: tuple[str, ...], commits: int) -> bool:
    """Run the command, and kill it as soon as it has made so many commits; False: it made less."""
    before = commits_of(lake)
    running = fork(lake, *command)
    while not running.has_ended(0.005):
        if commits_of(lake) - before >= commits:
            running.process.kill()
            running.process.join()
            return True
    return False


def commits_of(lake: Lake) -> int:
    return sum(1 for _ in lake.root.glob("*/*/_delta_log/*.json"))


@pytest.mark.parametrize("seed", range(int(os.environ.get("HISTORIES", "2"))))
def test_any_history_leaves_what_the_model_says(seed: int, tmp_path: Path) -> None:
    with tiny_exchange() as exchange:
        extra = {
            "LAKEHOUSE__PROVIDERS__BINANCE__BASE_URL": exchange.base_url,
            "LAKEHOUSE__PROVIDERS__BINANCE__ATTEMPTS": "1",
            "LAKEHOUSE__PROVIDERS__BINANCE__BREAK_AFTER_FAILURES": "1000",
            "LAKEHOUSE__FALLBACK": "false",
            "LAKEHOUSE__RELEASES__KEEP": str(KEPT),
            "LAKEHOUSE__RELEASES__KEEP_DAYS": "0",
        }
        with new_lake(tmp_path / "lake", **extra) as lake:
            history = History(lake, exchange, seed)
            for step in history.steps():
                history.take(step)
            history.reads_of_the_past_agree()
    # A history in which nothing happened would agree with any model.
    assert history.kills
    assert len(history.met) > 1
