"""Who may write silver and gold: one at a time."""

from __future__ import annotations

from filelock import FileLock

from lakehouse.settings import Settings


def build_lock(settings: Settings) -> FileLock:
    """Held by whoever writes silver or gold, or must not see them change."""
    lock = settings.lake / ".services" / "build.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(lock)
