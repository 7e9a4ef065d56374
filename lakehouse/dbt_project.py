"""The dbt project: calling dbt inside this process, and what it parsed."""

from __future__ import annotations

import copy
import importlib
import logging
import os
import shutil
import uuid
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from lakehouse.errors import BuildFailed
from lakehouse.places import PROJECT
from lakehouse.settings import Settings

DBT = PROJECT / "dbt"
PARSED = PROJECT / ".cache" / "dbt" / "partial_parse.msgpack"
OUR_PACKAGES = ("lakehouse", "dbt_spark")
State = tuple[tuple[Path, int], ...]

_manifests: dict[State, Any] = {}


def preload() -> None:
    """Import dbt, so that the first build need not wait for it."""
    # It decides about telemetry when it is imported.
    os.environ.setdefault("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
    # Six times a build it would describe the project in a file that nobody reads.
    os.environ.setdefault("DBT_WRITE_JSON", "false")
    importlib.import_module("dbt.cli.main")


def log_path(settings: Settings) -> Path:
    return settings.lake / ".services" / "dbt"


@contextmanager
def quietly(settings: Settings) -> Iterator[list[str]]:
    """Where dbt finds and leaves its files, as flags, without its chatter."""
    preload()
    os.environ["LAKEHOUSE_LAKE"] = str(settings.lake)
    scratch = log_path(settings)
    places = {"project-dir": DBT, "profiles-dir": DBT, "target-path": scratch, "log-path": scratch}
    with warnings.catch_warnings():
        # dbt asks each session for Hive, which a Connect session refuses, once per query.
        warnings.filterwarnings("ignore", message=".*spark.sql.catalogImplementation.*")
        yield [part for name, place in places.items() for part in (f"--{name}", str(place))]


def preparse(settings: Settings) -> None:
    """Parse the project, and compile what its models call, for the builds of this process and of
    its forks. Raises BuildFailed."""
    with quietly(settings) as places:
        manifest = new_manifest(settings, places)
    from dbt_common.clients.jinja import template_cache

    for macro in _called(manifest.macros):
        template_cache.get_node_template(macro)


def _called(macros: Mapping[str, Any]) -> Iterator[Any]:
    """The project's macros and the adapter's, and all that those call; a third of what there is."""
    waiting = [name for name, macro in macros.items() if macro.package_name in OUR_PACKAGES]
    seen = set(waiting)
    while waiting:
        macro = macros[waiting.pop()]
        yield macro
        called = {name for name in macro.depends_on.macros if name in macros} - seen
        seen |= called
        waiting += called


def invoke(manifest: Any, arguments: Sequence[str]) -> Any:
    """dbt's own result. The manifest holds what was compiled afterwards: none is used twice."""
    from dbt.cli.main import dbtRunner

    try:
        return dbtRunner(manifest=manifest).invoke(["--quiet", "--no-use-colors", *arguments])
    finally:
        _close_log()


def _close_log() -> None:
    # dbt opens its log anew at each call and leaves the one before open.
    logger = logging.getLogger("file_log")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()


def new_manifest(settings: Settings, places: Sequence[str]) -> Any:
    """The project's manifest, for one call. Raises BuildFailed where it cannot be parsed."""
    state = _state()
    if state not in _manifests:
        _manifests.clear()
        _manifests[state] = _parse(settings, places)
    known = _manifests[state]
    return replace(known, nodes=copy.deepcopy(known.nodes))


def _state() -> State:
    """When each file of the project was written."""
    return tuple((file, file.stat().st_mtime_ns) for file in sorted(DBT.rglob("*.*")))


def _parse(settings: Settings, places: Sequence[str]) -> Any:
    """Parsing takes seconds, so what one lake parsed serves the next; dbt itself sees what has
    changed since."""
    own = log_path(settings) / PARSED.name
    if not own.exists() and PARSED.exists():
        _copy(PARSED, own)
    # Without the variables, which change with every build, dbt finds what it parsed before.
    result = invoke(None, ["parse", *places])
    if not result.success:
        raise failure(settings, "parse", str(result.exception))
    if _written_at(own) > _written_at(PARSED):
        # Where the project cannot be written to, every lake parses for itself.
        with suppress(OSError):
            _copy(own, PARSED)
    return result.result


def _written_at(file: Path) -> float:
    """When it was written; dbt leaves what it parsed alone while nothing changes."""
    return file.stat().st_mtime if file.exists() else 0.0


def _copy(source: Path, target: Path) -> None:
    """Whoever reads the target finds all of it or none."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.{uuid.uuid4().hex}")
    shutil.copy2(source, part)
    part.replace(target)


def failure(settings: Settings, what: str, problem: str) -> BuildFailed:
    return BuildFailed(what=what, problem=plain(problem), log=log_path(settings) / "dbt.log")


def plain(message: str) -> str:
    """A message without the JVM's stack trace."""
    lines = [line for line in message.splitlines() if not line.strip().startswith("at ")]
    return "\n".join(lines).split("JVM stacktrace")[0].strip()
