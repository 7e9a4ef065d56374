"""What every result says beside its figures: the machine, and how the rounds spread."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Sequence

import psutil


def machine() -> str:
    memory = round(psutil.virtual_memory().total / 2**30)
    return f"{os.cpu_count()} cores, {memory} GiB, {platform.system()} {platform.machine()}"


def spread(seconds: Sequence[float]) -> str:
    """`median (minimum to maximum)` of the rounds."""
    median = statistics.median(seconds)
    return f"{median:.1f} s ({min(seconds):.1f} to {max(seconds):.1f})"
