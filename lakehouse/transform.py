"""Running dbt inside this process, on the session that the build already has."""

from __future__ import annotations

import importlib
import json
import logging
import os
import shutil
import uuid
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from lakehouse import ops
from lakehouse.commits import version_of
from lakehouse.engine import as_default, is_sail, register_tables
from lakehouse.errors import BuildFailed
from lakehouse.outcomes import Recorder, written_since
from lakehouse.settings import PROJECT, Settings
from lakehouse.tables import built_tables, table_named
from lakehouse.written_files import append_rows, replace_rows

DBT = PROJECT / "dbt"
PARSED = PROJECT / ".cache" / "dbt" / "partial_parse.msgpack"


def run_dbt(
    session: SparkSession,
    settings: Settings,
    recorder: Recorder,
    command: Sequence[str],
    variables: dict[str, Any],
) -> None:
    """Run a dbt command, e.g. `["run", "--select", "silver"]`; one outcome for each node.

    Raises BuildFailed with the first node's message.
    """
    from lakehouse import indicators

    indicators.register(session)
    before = {table.name: version_of(table.path(settings.lake)) for table in built_tables()}
    with _answers(settings, command) as answers, as_default(session), _quietly(settings) as places:
        result = _parsed(settings, places)
        if result.success:
            told = json.dumps({**_own_variables(answers), **variables})
            result = _invoke(result.result, [*command, "--vars", told, *places])
        nodes = list(getattr(result.result, "results", []))
        if answers:
            models = [node.node for node in nodes if node.status == "success"]
            _take_over(session, settings, models, answers)
    _record(settings, recorder, nodes, before)
    failed = [node for node in nodes if node.status in ("error", "fail", "runtime error")]
    if result.exception or failed:
        problem = str(result.exception or f"{failed[0].node.name}: {failed[0].message}")
        raise _failure(settings, " ".join(command), problem)


def _own_variables(answers: Path | None) -> dict[str, Any]:
    """The variables that no build tells."""
    told = {table.full_name: table.told_columns for table in built_tables()}
    return {"told_columns": told, "answers": str(answers or "")}


def _failure(settings: Settings, what: str, problem: str) -> BuildFailed:
    return BuildFailed(what=what, problem=_plain(problem), log=log_path(settings) / "dbt.log")


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
def _quietly(settings: Settings) -> Iterator[list[str]]:
    """Where dbt finds and leaves its files, as flags, without its chatter."""
    preload()
    os.environ["LAKEHOUSE_LAKE"] = str(settings.lake)
    scratch = log_path(settings)
    places = {"project-dir": DBT, "profiles-dir": DBT, "target-path": scratch, "log-path": scratch}
    with warnings.catch_warnings():
        # dbt asks each session for Hive, which a Connect session refuses, once per query.
        warnings.filterwarnings("ignore", message=".*spark.sql.catalogImplementation.*")
        yield [part for name, place in places.items() for part in (f"--{name}", str(place))]


@contextmanager
def _answers(settings: Settings, command: Sequence[str]) -> Iterator[Path | None]:
    """The folder where Sail leaves what models answered; see dbt/macros/answers.sql."""
    if not is_sail(settings) or command[0] != "run":
        yield None
        return
    folder = settings.lake / "staging" / f"dbt-{uuid.uuid4().hex}"
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _take_over(session: SparkSession, settings: Settings, models: list[Any], answers: Path) -> None:
    """Make the rows in files part of the models' tables, and name those that are new."""
    # A table without rows leaves no files, so what was made anew is marked.
    anew = {model.name for model in models if (answers / "anew" / model.name).exists()}
    for model in models:
        table = table_named(f"{model.schema}.{model.name}")
        path = table.path(settings.lake)
        if model.name in anew:
            schema = session.createDataFrame([], table.ddl).toArrow().schema
            replace_rows(path, answers / "created" / model.name, schema, table)
        else:
            append_rows(path, answers / "appended" / model.name)
    if anew:
        register_tables(session, settings)


def _parsed(settings: Settings, places: list[str]) -> Any:
    """The project's manifest. Parsing takes seconds, so what one lake parsed serves the next; dbt
    itself sees what has changed since."""
    own = log_path(settings) / PARSED.name
    if not own.exists() and PARSED.exists():
        _copy(PARSED, own)
    # Without the variables, which change with every build, dbt finds what it parsed before.
    result = _invoke(None, ["parse", *places])
    if result.success and _written_at(own) > _written_at(PARSED):
        # Where the project cannot be written to, every lake parses for itself.
        with suppress(OSError):
            _copy(own, PARSED)
    return result


def _written_at(file: Path) -> float:
    """When it was written; dbt leaves what it parsed alone while nothing changes."""
    return file.stat().st_mtime if file.exists() else 0.0


def _copy(source: Path, target: Path) -> None:
    """Whoever reads the target finds all of it or none."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.{uuid.uuid4().hex}")
    shutil.copy2(source, part)
    part.replace(target)


def _invoke(manifest: Any, arguments: Sequence[str]) -> Any:
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


def _record(
    settings: Settings, recorder: Recorder, nodes: list[Any], before: dict[str, int | None]
) -> None:
    for node in nodes:
        path = settings.lake / node.node.schema / node.node.name
        is_success = node.status in ("success", "pass")
        started = next((t.started_at for t in node.timing if t.name == "execute"), None)
        recorder.pending.append(
            {
                "run_id": recorder.run_id,
                "step": f"dbt {node.node.resource_type}",
                "subject": node.node.name,
                "status": "success" if is_success else "error",
                "started_at": started or ops.now(),
                "duration_seconds": node.execution_time,
                "error": None if is_success else _plain(node.message or ""),
                **(written_since(path, before[node.node.name]) if node.node.name in before else {}),
            }
        )


def _plain(message: str) -> str:
    """A message without the JVM's stack trace."""
    lines = [line for line in message.splitlines() if not line.strip().startswith("at ")]
    return "\n".join(lines).split("JVM stacktrace")[0].strip()
