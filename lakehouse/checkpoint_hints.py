"""Reading old versions of a table on Sail, in spite of the table's hint at its last checkpoint.

Sail 0.7.2 begins its listing of the log at the checkpoint that `_last_checkpoint` names, or at the
commit it looks for; so it fails with "Missing commit file" on a version before that checkpoint.
Without the file, which Delta's protocol calls optional, it finds the right checkpoint by itself.
"""

from __future__ import annotations

from collections.abc import Iterable

from lakehouse.settings import Settings
from lakehouse.tables import table_named


def forget_checkpoint_hints(settings: Settings, names: Iterable[str]) -> None:
    """Call it right before `VERSION AS OF` on these tables; each later checkpoint hints anew."""
    if settings.engine != "sail":
        return
    for name in names:
        log = table_named(name).path(settings.lake) / "_delta_log"
        (log / "_last_checkpoint").unlink(missing_ok=True)
