import sys
import time
from pathlib import Path

import psutil
import pytest

from lakehouse import services
from lakehouse.errors import EngineStartFailed
from lakehouse.services import Service
from tests.killing import kill

LISTEN = """
import socket, sys, time
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
time.sleep(60)
"""


def service(lake: Path, program: str = LISTEN, kind: str = "test") -> Service:
    def command(port: int) -> list[str]:
        return [sys.executable, "-c", program, str(port)]

    return Service("sleeper", kind, lake, command, {})


@pytest.fixture
def lake(tmp_path: Path):
    yield tmp_path
    services.stop(tmp_path, "sleeper")


def test_a_service_is_started_once_and_found_again(lake: Path) -> None:
    started = service(lake).ensure()
    assert service(lake).ensure() == started == services.find(lake, "sleeper")


def test_two_lakes_have_services_of_their_own(lake: Path, tmp_path_factory) -> None:
    other = tmp_path_factory.mktemp("other")
    try:
        assert service(lake).ensure().port != service(other).ensure().port
    finally:
        services.stop(other, "sleeper")


def test_a_killed_service_is_started_anew(lake: Path) -> None:
    first = service(lake).ensure()
    kill(first)
    assert services.find(lake, "sleeper") is None
    assert service(lake).ensure().pid != first.pid


def test_a_stopped_service_is_gone(lake: Path) -> None:
    pid = service(lake).ensure().pid
    assert services.stop(lake, "sleeper")
    assert not psutil.pid_exists(pid)
    assert not services.stop(lake, "sleeper")


def test_another_kind_replaces_the_one_that_runs(lake: Path) -> None:
    first = service(lake, kind="spark").ensure()
    second = service(lake, kind="sail").ensure()
    assert (first.pid != second.pid, second.kind) == (True, "sail")


def test_a_process_that_took_over_the_pid_is_not_taken_for_the_service(lake: Path) -> None:
    running = service(lake).ensure()
    state = lake / ".services" / "sleeper.json"
    state.write_text(state.read_text().replace(str(running.created), str(running.created - 100)))
    assert services.find(lake, "sleeper") is None
    psutil.Process(running.pid).kill()


def test_a_service_that_ends_at_once_is_reported_with_its_log(lake: Path) -> None:
    with pytest.raises(EngineStartFailed, match=r"exit code 3.*sleeper\.log"):
        service(lake, "raise SystemExit(3)").ensure()


WITH_CHILD = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open(sys.argv[2], "w").write(str(child.pid))
child.wait()
"""


def test_what_a_killed_service_left_behind_is_ended_with_it(lake: Path, tmp_path: Path) -> None:
    told = tmp_path / "child"

    def command(port: int) -> list[str]:
        return [sys.executable, "-c", WITH_CHILD, str(port), str(told)]

    parent = Service("sleeper", "test", lake, command, {}, is_listening=False)
    running = parent.ensure()
    assert running.port is None
    while not (told.exists() and told.read_text()):
        time.sleep(0.05)
    child = psutil.Process(int(told.read_text()))
    kill(running)
    assert child.is_running()
    assert services.stop_all(lake) == []
    assert not child.is_running()


def test_the_port_asked_for_is_taken_unless_it_is_not_free(lake: Path) -> None:
    wanted = Service("sleeper", "test", lake, service(lake).command, {})
    port = wanted.ensure().port
    assert port
    services.stop(lake, "sleeper")
    again = Service("sleeper", "test", lake, service(lake).command, {}, port=port)
    assert again.ensure().port == port
    with_taken = Service("other", "test", lake, service(lake).command, {}, port=port)
    assert with_taken.ensure().port != port
    services.stop(lake, "other")
