"""Writers of Airflow's database take turns, as they do not with SQLite's own manners."""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path

import pytest

from orchestration.sqlite import CONNECT_ARGS


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
