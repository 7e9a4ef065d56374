"""What a command and the fork server tell each other, over a socket that only its owner opens.

The command sends a Request with its three standard streams; it is told the number of the process
that runs it, and when that has ended, how. Whoever of the two closes first has died.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

NAME = "fork-server"
STREAMS = (0, 1, 2)
REFUSED = 0  # no process has this number
_LENGTH = struct.Struct("!I")
_NUMBER = struct.Struct("!i")


@dataclass(frozen=True, slots=True)
class Request:
    """A command as it was called. `code_state` is that of the code the command has before it."""

    arguments: list[str]
    folder: str
    environment: dict[str, str]
    umask: int
    code_state: str

    def send(self, connection: socket.socket) -> None:
        """Send it with this process's standard streams."""
        text = json.dumps(asdict(self)).encode()
        socket.send_fds(connection, [_LENGTH.pack(len(text))], STREAMS)
        connection.sendall(text)

    @classmethod
    def receive(cls, connection: socket.socket) -> tuple[Request, list[int]]:
        """The request, and the streams it came with. Raises EOFError where it is cut short."""
        head, streams, *_ = socket.recv_fds(connection, _LENGTH.size, len(STREAMS))
        for stream in streams:
            # Left open in a server that renews itself, it would never end for whoever reads it.
            os.set_inheritable(stream, False)
        if len(head) < _LENGTH.size or len(streams) < len(STREAMS):
            for stream in streams:
                os.close(stream)
            raise EOFError
        return cls(**json.loads(_all_of(connection, *_LENGTH.unpack(head)))), streams


def tell(connection: socket.socket, number: int) -> None:
    """The number of a process, or the code it ended with."""
    connection.sendall(_NUMBER.pack(number))


def told(connection: socket.socket) -> int:
    """What `tell` said. Raises EOFError where the other side has died."""
    (number,) = _NUMBER.unpack(_all_of(connection, _NUMBER.size))
    return int(number)


def _all_of(connection: socket.socket, length: int) -> bytes:
    found = b""
    while len(found) < length:
        part = connection.recv(length - len(found))
        if not part:
            raise EOFError
        found += part
    return found


def connect(lake: Path) -> socket.socket:
    """A connection to the lake's server. Raises OSError where none listens."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        with address(lake) as path:
            connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection


def is_listening(lake: Path) -> bool:
    """Whether the lake has a server that has imported everything."""
    try:
        connect(lake).close()
    except OSError:
        return False
    return True


@contextmanager
def address(lake: Path) -> Iterator[str]:
    """The socket's. A lake's own path may be longer than an address can be."""
    folder = os.open(lake / ".services", os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{NAME}.sock"
    finally:
        os.close(folder)
