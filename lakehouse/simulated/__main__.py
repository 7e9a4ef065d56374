"""`python -m lakehouse.simulated --port 0 --port-file F`: the exchange as a process of its own.

The faults come from the settings (`simulated:` or LAKEHOUSE__SIMULATED__…).
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from lakehouse.settings import load_settings
from lakehouse.simulated.faults import Faults
from lakehouse.simulated.running import serve


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m lakehouse.simulated", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes any free port")
    parser.add_argument("--port-file", type=Path, help="where to write the port, once it listens")
    arguments = parser.parse_args(argv)
    faults = Faults(**load_settings().simulated.model_dump())
    serve(arguments.port, faults, lambda port: _announce(port, arguments.port_file))


def _announce(port: int, file: Path | None) -> None:
    if file:
        unfinished = file.with_name(f"{file.name}.{os.getpid()}")
        unfinished.write_text(str(port))
        unfinished.replace(file)
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
