"""The application: it runs a command, and tells a person of its failure."""

from __future__ import annotations

import atexit
import gc
import logging
import os
import sys
import time
import traceback
import warnings
from collections.abc import Sequence
from contextlib import suppress

import structlog
from pyspark.errors import PySparkException
from rich.console import Console
from rich.markup import escape

from lakehouse.cli.commands import application
from lakehouse.cli.forking.service import leave_one_behind
from lakehouse.engine import is_lost
from lakehouse.errors import EngineLost, LakehouseError
from lakehouse.settings import load_settings

# An engine may put a whole plan into one line.
LONGEST_MESSAGE = 300
# Nearly all that a short command allocates are modules, which stay.
GARBAGE_THRESHOLDS = (100_000, 50, 50)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit; every failure becomes one message and an exit code."""
    _look_for_garbage_seldom()
    given = list(sys.argv[1:] if argv is None else argv)
    # Spark's client hands out times in the local zone; the lakehouse speaks UTC.
    os.environ["TZ"] = "UTC"
    time.tzset()
    is_verbose = "--verbose" in given
    _configure_logging(is_verbose)
    arguments = [argument for argument in given if argument != "--verbose"]
    try:
        application(next(iter(arguments), ""))(arguments, prog_name="lakehouse")
    except SystemExit as end:
        if not end.code:
            _leave_a_fork_server()
        raise
    except KeyboardInterrupt:  # a command that has something to say of it says it itself
        _fail("interrupted.", 1, is_verbose)
    except Exception as error:
        met = EngineLost(what="the command") if is_lost(error) else error
        _fail(_told(met), getattr(met, "exit_code", 1), is_verbose)


def _look_for_garbage_seldom() -> None:
    """At Python's own pace it is a quarter of a short command's time, half of that at its end."""
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    atexit.register(gc.freeze)


def _leave_a_fork_server() -> None:
    with suppress(LakehouseError):  # help, for one, is given under whatever settings
        leave_one_behind(load_settings())


def _told(error: Exception) -> str:
    if isinstance(error, LakehouseError):
        return str(error)
    if isinstance(error, PySparkException):
        return f"The engine failed: {_first_line(error)}"
    return f"Unexpected {type(error).__name__}: {_first_line(error)}. --verbose shows where."


def _fail(message: str, code: int, is_verbose: bool) -> None:
    if is_verbose:
        traceback.print_exc()
    Console(stderr=True, highlight=False, soft_wrap=True).print(f"[red]Error:[/] {escape(message)}")
    sys.exit(code)


def _first_line(error: Exception) -> str:
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    return line if len(line) <= LONGEST_MESSAGE else f"{line[:LONGEST_MESSAGE]} …"


def _configure_logging(is_verbose: bool) -> None:
    level = logging.DEBUG if is_verbose else logging.ERROR
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.basicConfig(level=logging.INFO if is_verbose else logging.ERROR)
    # The client logs each failed call with its stack trace before it raises it.
    logging.getLogger("pyspark").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", message=r"\[RETRIES_EXCEEDED\]")
