"""SQLite for an Airflow of several processes: who writes waits, rather than fails.

SQLite refuses at once to let a transaction write that began by reading while another one wrote
("database is locked"). Airflow begins some that way, with a savepoint. Begun as writers, they
queue.

Airflow's API server writes its audit log on its event loop. Waiting there for a request that has
written and needs the loop to commit, it would stand still until the wait is over.
"""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

WAIT_SECONDS = 60
READING = {"GET", "HEAD", "OPTIONS"}


class Patient(sqlite3.Connection):
    """A connection whose savepoints begin transactions that may write."""

    def cursor(self, *_: Any) -> PatientCursor:
        return super().cursor(PatientCursor)


class PatientCursor(sqlite3.Cursor):
    def execute(self, sql: str, *parameters: Any) -> PatientCursor:
        if sql.startswith("SAVEPOINT") and not self.connection.in_transaction:
            super().execute("BEGIN IMMEDIATE")
        super().execute(sql, *parameters)
        return self


# Named in conf/airflow/local.env.
CONNECT_ARGS = {"factory": Patient, "isolation_level": "IMMEDIATE", "timeout": WAIT_SECONDS}


class OneWriter:
    """An API that takes up one request that may write at a time, in the order they came."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.turn = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in READING:
            await self.app(scope, receive, send)
            return
        async with self.turn:
            await self.app(scope, receive, send)
