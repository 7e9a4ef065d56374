"""Reading old versions of a table on Sail, in spite of the table's hint at its last checkpoint.

Sail 0.7.2 fails with "Missing commit file" on most versions that are older than the checkpoint
named by `_last_checkpoint`. Delta's protocol calls that file optional: without it Sail finds the
right checkpoint by itself.
"""

from __future__ import annotations

from collections.abc import Iterable

from lakehouse.settings import Settings


def forget_checkpoint_hints(settings: Settings, names: Iterable[str]) -> None:
    """Call it right before `VERSION AS OF` on these tables; the next checkpoint brings it back."""
    if settings.engine != "sail":
        return
    for name in names:
        log = settings.lake.joinpath(*name.split(".")) / "_delta_log"
        (log / "_last_checkpoint").unlink(missing_ok=True)


def version_as_of(settings: Settings, name: str, version: int) -> str:
    """SQL to put after the table's name, so that an engine reads that version of it."""
    forget_checkpoint_hints(settings, [name])
    return f" VERSION AS OF {version}"
