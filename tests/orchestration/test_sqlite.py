"""Writers of Airflow's database take turns, as they do not with SQLite's own manners."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from orchestration.sqlite import CONNECT_ARGS, OneWriter


def opened(path: Path, **how: object) -> sqlite3.Connection:
    connection = sqlite3.connect(path, check_same_thread=False, **how)  # type: ignore[call-overload]
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE IF NOT EXISTS runs (name TEXT)")
    connection.commit()
    assert isinstance(connection, sqlite3.Connection)
    return connection


def write_meanwhile(path: Path, **how: object) -> int:
    """Begin as Airflow does, let another process write, then write; how many rows there are."""
    ours, other = opened(path, **how), opened(path, **how)
    try:
        cursor = ours.cursor()
        cursor.execute("SAVEPOINT one")
        cursor.execute("SELECT * FROM runs").fetchall()

        def write() -> None:
            other.execute("INSERT INTO runs VALUES ('theirs')")
            other.commit()

        thread = threading.Thread(target=write)
        thread.start()
        time.sleep(0.2)
        cursor.execute("INSERT INTO runs VALUES ('ours')")
        ours.commit()
        thread.join()
        return len(ours.execute("SELECT * FROM runs").fetchall())
    finally:
        ours.close()
        other.close()


def test_who_writes_second_waits_its_turn(tmp_path: Path) -> None:
    assert write_meanwhile(tmp_path / "patient.db", **CONNECT_ARGS) == 2


def test_without_it_the_second_writer_fails(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        write_meanwhile(tmp_path / "plain.db")


class Busy:
    """An API whose every answer takes a while; how many requests it was at, at most."""

    def __init__(self) -> None:
        self.now = self.most = 0

    async def __call__(self, *_: object) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.01)
        self.now -= 1


def most_at_once(*methods: str) -> int:
    busy = Busy()

    async def ask() -> None:
        api = OneWriter(busy)
        scopes = [{"type": "http", "method": method} for method in methods]
        await asyncio.gather(*(api(scope, None, None) for scope in scopes))  # type: ignore[arg-type]

    asyncio.run(ask())
    return busy.most


def test_the_api_takes_up_one_writing_request_at_a_time() -> None:
    assert most_at_once("POST", "PATCH", "DELETE") == 1


def test_who_reads_waits_for_nobody() -> None:
    assert most_at_once("GET", "POST", "GET", "PATCH") == 3


def test_a_request_that_fails_lets_the_next_one_through() -> None:
    async def fail(*_: object) -> None:
        raise ValueError

    async def ask() -> list[object]:
        api = OneWriter(fail)
        scope = {"type": "http", "method": "POST"}
        asked = (api(scope, None, None) for _ in range(2))  # type: ignore[arg-type]
        return list(await asyncio.gather(*asked, return_exceptions=True))

    assert [type(failure) for failure in asyncio.run(ask())] == [ValueError, ValueError]
