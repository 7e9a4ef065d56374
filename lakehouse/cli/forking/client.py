"""The client: has a command run in a fork, as if it ran here."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import yaml

from lakehouse.cli.forking.code_state import code_state
from lakehouse.cli.forking.wire import REFUSED, Request, connect, told
from lakehouse.places import PROJECT, config_file
from lakehouse.yaml_files import read_yaml

PATIENCE_SECONDS = 10
# They start and end processes of the lake, the server among them.
RUN_HERE = {"up", "down", "airflow", "stream"}
OFF = {"false", "0", "off", "no", "f", "n"}
PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def run_in_fork(arguments: Sequence[str]) -> int | None:
    """Run the command in a fork of the lake's server, with this process's streams: its exit code,
    or the negative number of the signal that ended it.

    None where it did not run: no server is there, or it has other code.
    """
    if not _may_fork(arguments):
        return None
    try:
        connection = connect(_lake())
    except (OSError, ValueError, LookupError, TypeError, yaml.YAMLError):
        return None  # what is wrong with the settings, the command itself says
    with connection:
        pid = _started(connection, arguments)
        return None if pid == REFUSED else _end_of(pid, connection)


def _may_fork(arguments: Sequence[str]) -> bool:
    is_off = os.environ.get("LAKEHOUSE__FORK_SERVER", "").lower() in OFF
    return not is_off and RUN_HERE.isdisjoint(arguments[:2])  # before the command comes --verbose


def _lake() -> Path:
    """The lake directory; settings take ten times as long to tell it, and the fork asks them."""
    root = os.environ.get("LAKEHOUSE__ROOT")
    if root is None:
        root = read_yaml(config_file())["root"]
    return PROJECT / root


def _started(connection: socket.socket, arguments: Sequence[str]) -> int:
    """The number of the process that runs the command, or REFUSED."""
    connection.settimeout(PATIENCE_SECONDS)
    umask = os.umask(0)
    os.umask(umask)
    try:
        request = Request(list(arguments), os.getcwd(), dict(os.environ), umask, code_state())
        request.send(connection)
        return told(connection)
    except (OSError, EOFError):
        return REFUSED


def _end_of(pid: int, connection: socket.socket) -> int:
    connection.settimeout(None)
    with _passing_on_signals(pid):
        try:
            return told(connection)
        except EOFError:
            # Without its keeper nobody knows how it ends.
            os.kill(pid, signal.SIGKILL)
            return -signal.SIGKILL


@contextmanager
def _passing_on_signals(pid: int) -> Iterator[None]:
    def pass_on(number: int, _: FrameType | None) -> None:
        os.kill(pid, number)

    heard = [number for number in PASSED_ON if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, pass_on) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
