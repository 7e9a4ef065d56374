"""Backups of a lake: incremental, read back before they are trusted, restored to another root."""

from lakehouse.backup.creating import Created, create
from lakehouse.backup.manifest import BackedUp, Manifest, TableState
from lakehouse.backup.restoring import Restored, restore
from lakehouse.backup.store import LATEST, list_backups
from lakehouse.backup.tables import Compared
from lakehouse.backup.verifying import Verified, verify

__all__ = [
    "LATEST",
    "BackedUp",
    "Compared",
    "Created",
    "Manifest",
    "Restored",
    "TableState",
    "Verified",
    "create",
    "list_backups",
    "restore",
    "verify",
]
