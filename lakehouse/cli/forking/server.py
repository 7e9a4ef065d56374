"""The server: `python -m lakehouse.cli.forking.server LAKE`.

For each request it forks a keeper, which forks the command and watches over it: so a command goes
on where its server ends, and ends where the one who called it is killed.
"""

from __future__ import annotations

import atexit
import os
import select
import signal
import socket
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path

from lakehouse.cli.forking.code_state import code_state
from lakehouse.cli.forking.wire import REFUSED, STREAMS, Request, address, tell

PATIENCE_SECONDS = 5


def main() -> None:
    """Import what commands import, then run them. Ends when it is told to."""
    lake, state = Path(sys.argv[1]), code_state()
    from lakehouse.cli.forking import preload

    preload.read(lake)
    request = serve(listening(lake), state)
    try:
        preload.main(request.arguments)
    except SystemExit as end:
        _leave(end)


def _leave(end: SystemExit) -> None:
    """What Python does at its end, but for taking everything apart, which would copy most of the
    memory that is shared with the server: a third of a second."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # nobody reads any more
            stream.flush()
    os._exit(end.code if isinstance(end.code, int) else int(end.code is not None))


def listening(lake: Path) -> socket.socket:
    """A socket in the lake's folder that nobody but its owner opens."""
    server = socket.socket(socket.AF_UNIX)
    os.umask(0o077)
    with address(lake) as path:
        with suppress(FileNotFoundError):
            os.unlink(path)
        server.bind(path)
    server.listen()
    return server


def serve(server: socket.socket, state: str) -> Request:
    """Returns in each forked process, with what it is to run; in the server itself never."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # keepers wait for the commands, nobody for them
    while True:
        connection, _ = server.accept()
        with connection:
            connection.settimeout(PATIENCE_SECONDS)
            try:
                request, streams = Request.receive(connection)
            except (EOFError, OSError, ValueError, TypeError):
                continue
            if request.code_state != state:
                with suppress(OSError):
                    tell(connection, REFUSED)
                _renew_if_outdated(state)
            elif os.fork() == 0:
                server.close()
                return _kept(request, streams, connection)
            for stream in streams:
                os.close(stream)


def _renew_if_outdated(state: str) -> None:
    if code_state() != state:
        # The process stays the one the lake knows of, and imports everything anew.
        os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - as it was called


def _kept(request: Request, streams: list[int], connection: socket.socket) -> Request:
    """Returns in the command's process; its keeper ends with it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()  # who stops the server means no command
    pid = os.fork()
    if pid == 0:
        connection.close()
        _become(request, streams)
        return request
    for stream in streams:
        os.close(stream)
    command = next(iter(request.arguments), "help")
    _log(f"{command}: process {pid}")
    with suppress(OSError):
        tell(connection, pid)
    code = _ended(pid, connection)
    _log(f"{command}: process {pid} ended with {code}")
    with suppress(OSError):
        tell(connection, code)
    os._exit(0)


def _log(event: str) -> None:
    sys.stderr.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {event}\n")


def _ended(pid: int, connection: socket.socket) -> int:
    """How it ended; it is killed where nobody waits for it any more."""
    process = os.pidfd_open(pid)
    ready, _, _ = select.select([process, connection], [], [])
    if process not in ready:
        os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _become(request: Request, streams: list[int]) -> None:
    for stream, number in zip(streams, STREAMS, strict=True):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(request.environment)
    os.chdir(request.folder)
    os.umask(request.umask)
    # A server that a script started in the background ignores it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=os.isatty(1))


if __name__ == "__main__":
    main()
