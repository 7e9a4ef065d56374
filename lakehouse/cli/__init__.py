"""The command line: `lakehouse …`.

Exit code 0: done; 1: something failed and is named; 2: wrong usage.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

from lakehouse.cli.forking.client import run_in_fork

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit; the lake's fork server runs it, if it has one."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    code = run_in_fork(arguments)
    if code is None:
        from lakehouse.cli.app import main as run_here

        run_here(arguments)
    else:
        _end_like_the_fork(code)


def _end_like_the_fork(code: int) -> None:
    if code < 0:
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)
