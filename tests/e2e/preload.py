"""What the server of forks.py imports: the command line, as it is where nobody sees it print."""

from __future__ import annotations

import importlib
from contextlib import redirect_stdout
from io import StringIO

# Its tables take their width from what standard output is when they are imported.
with redirect_stdout(StringIO()):
    importlib.import_module("orchestration.preload")
    importlib.import_module("lakehouse.cli")
