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


def spread(values: Sequence[float], digits: int = 1, unit: str = " s") -> str:
    """`median (minimum to maximum)` of the rounds."""
    if not values:
        return "no figure"
    median, least, most = statistics.median(values), min(values), max(values)
    return f"{median:,.{digits}f}{unit} ({least:,.{digits}f} to {most:,.{digits}f})"
