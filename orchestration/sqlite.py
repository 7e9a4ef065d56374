"""SQLite for an Airflow of several processes: who writes waits, rather than fails.

SQLite refuses at once to let a transaction write that began by reading while another one wrote
("database is locked"). Airflow begins some that way, with a savepoint. Begun as writers, they
queue.
"""

from __future__ import annotations

import sqlite3
from typing import Any

WAIT_SECONDS = 60


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
