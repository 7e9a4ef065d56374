"""Commands run by the lake's fork server: nobody can tell, except by the time they take."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from lakehouse import services
from lakehouse.cli.forking.client import run_in_fork
from lakehouse.cli.forking.wire import NAME, is_listening
from lakehouse.places import PROJECT
from lakehouse.services import Running
from tests.e2e.lakes import COMMAND, Lake, Ran, ended, new_lake, same
from tests.killing import kill

pytestmark = pytest.mark.e2e

HOURS = ("--assets", "BTCUSD", "--timeframes", "1h,1d", "--from", "2026-03-02")
LONG = 60  # seconds
STARTED = re.compile(r"(\w+): process (\d+)$", re.MULTILINE)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """A day of hours, and beside the engine the server that its landing has left."""
    root = tmp_path_factory.mktemp("forking") / "lake"
    with new_lake(root, LAKEHOUSE__FORK_SERVER="true") as lake:
        lake.backfill(*HOURS, "--to", "2026-03-03")
        yield lake


@pytest.fixture
def server(lake: Lake) -> Running:
    """The lake's server, listening; a command that finds none leaves one."""
    if not services.find(lake.root, NAME):
        assert lake.run("tables").code == 0
    until(lambda: is_listening(lake.root))
    found = services.find(lake.root, NAME)
    assert found
    return found


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def forks(lake: Lake) -> list[tuple[str, int]]:
    """Command and process of all that the lake's server has run."""
    log = (lake.root / ".services" / f"{NAME}.log").read_text()
    return [(command, int(pid)) for command, pid in STARTED.findall(log)]


def run(lake: Lake, *arguments: str, **extra: str) -> tuple[Ran, bool]:
    """The installed command, and whether the server ran it."""
    before = len(forks(lake))
    return ended(lake.start(*arguments, **extra)), len(forks(lake)) > before


def in_a_fork(lake: Lake, *arguments: str) -> tuple[subprocess.Popen[str], psutil.Process]:
    """The installed command, and the process that runs it."""
    before = len(forks(lake))
    command = lake.start(*arguments)
    until(lambda: len(forks(lake)) > before)
    return command, psutil.Process(forks(lake)[-1][1])


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("tables", "--json"), 0),
        (("read", "gold.mart_daily_metrics", "--format", "csv"), 0),
        (("sql", "drop table gold.mart_daily_metrics"), 2),
        (("history", "gold.nothing"), 2),
        (("nonsense",), 2),
        (("--help",), 0),
    ],
)
def test_a_fork_says_what_the_command_itself_says(
    lake: Lake, arguments: tuple[str, ...], code: int
) -> None:
    forked, is_forked = run(lake, *arguments)
    alone, is_alone_forked = run(lake, *arguments, LAKEHOUSE__FORK_SERVER="false")
    assert (is_forked, is_alone_forked) == (True, False)
    assert forked == alone
    assert forked.code == code


@pytest.mark.usefixtures("server")
def test_a_fork_has_the_settings_and_the_folder_of_its_command(lake: Lake, tmp_path: Path) -> None:
    wrong, is_forked = run(lake, "tables", LAKEHOUSE__ENGINE="flink")
    assert (wrong.code, is_forked) == (2, True)
    assert "LAKEHOUSE__ENGINE" in wrong.err
    (tmp_path / "candles.csv").write_text("no candles")
    refused = subprocess.run(  # noqa: S603 - the command is ours
        [COMMAND, "backfill", "--files", "*.csv"],
        cwd=tmp_path,
        env=lake.environment,
        capture_output=True,
        text=True,
        timeout=LONG,
        check=False,
    )
    assert refused.returncode == 1
    assert "candles.csv cannot be landed" in refused.stderr


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 1), (signal.SIGTERM, -15)])
def test_a_signal_reaches_the_fork(lake: Lake, number: signal.Signals, code: int) -> None:
    command, fork = in_a_fork(lake, "backfill", *HOURS, "--to", "2026-06-02", "--window", "1h")
    assert command.stdout
    assert command.stdout.readline().startswith("fetched")
    command.send_signal(number)
    assert ended(command).code == code
    until(lambda: not fork.is_running())


@pytest.mark.usefixtures("server")
def test_a_killed_command_takes_its_fork_along_and_the_next_one_goes_on(
    lake: Lake, tmp_path: Path
) -> None:
    days = (*HOURS, "--to", "2026-03-09")
    command, fork = in_a_fork(lake, "backfill", *days)
    until(lambda: lake.versions()["bronze.raw_market_data_1h"] > 0)
    command.kill()
    assert ended(command).code == -signal.SIGKILL
    until(lambda: not fork.is_running())
    again, is_forked = run(lake, "backfill", *days)
    assert (again.code, is_forked) == (0, True), again.err
    with new_lake(tmp_path / "unharmed") as unharmed:
        unharmed.backfill(*days)
        assert same(lake, unharmed) == []


@pytest.mark.usefixtures("server")
def test_a_killed_fork_ends_its_command_in_the_same_way(lake: Lake) -> None:
    command, fork = in_a_fork(lake, "backfill", *HOURS, "--to", "2026-03-09")
    fork.kill()
    assert ended(command).code == -signal.SIGKILL


def test_a_command_goes_on_where_its_server_dies_and_the_next_one_needs_none(
    lake: Lake, server: Running
) -> None:
    command, _ = in_a_fork(lake, "tables")
    kill(server)
    assert ended(command).code == 0
    alone, is_forked = run(lake, "tables")
    assert (alone.code, is_forked) == (0, False)
    found = services.find(lake.root, NAME)
    assert found
    assert found.pid != server.pid


def test_a_server_with_old_code_runs_nothing_and_renews_itself(lake: Lake, server: Running) -> None:
    os.utime(PROJECT / "lakehouse" / "places.py")
    ran, is_forked = run(lake, "tables")
    assert (ran.code, is_forked) == (0, False)
    until(lambda: is_listening(lake.root))
    ran, is_forked = run(lake, "tables")
    assert (ran.code, is_forked) == (0, True)
    assert services.find(lake.root, NAME) == server


def test_the_server_runs_nothing_for_who_wants_libraries_set_up_otherwise(
    lake: Lake, server: Running
) -> None:
    ran, is_forked = run(lake, "tables", POLARS_MAX_THREADS="1")
    assert (ran.code, is_forked) == (0, False)
    assert run(lake, "tables")[1]


def test_nobody_else_opens_the_servers_socket(lake: Lake, server: Running) -> None:
    socket = lake.root / ".services" / f"{NAME}.sock"
    assert socket.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("settings", ["engine: sail", "root: [", "- root", "root: /nowhere"])
def test_a_command_without_a_lake_to_ask_runs_by_itself(
    settings: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lakehouse.yml").write_text(settings)
    monkeypatch.setenv("LAKEHOUSE_CONFIG", str(tmp_path / "lakehouse.yml"))
    monkeypatch.delenv("LAKEHOUSE__ROOT", raising=False)
    assert run_in_fork(["tables"]) is None


def test_down_ends_the_server(lake: Lake, server: Running) -> None:
    ran, is_forked = run(lake, "down")
    assert (ran.code, is_forked) == (0, False)
    assert f"Stopped {NAME} (process {server.pid})." in ran.out
    assert not psutil.pid_exists(server.pid)
