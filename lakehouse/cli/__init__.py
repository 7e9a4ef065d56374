"""The command line: `lakehouse …`.

Exit code 0: done; 1: something failed and is named; 2: wrong usage.
"""

from lakehouse.cli.app import main

__all__ = ["main"]
