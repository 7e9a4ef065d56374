"""Running dbt on the session that the build already has."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from lakehouse import ops
from lakehouse.commits import version_of
from lakehouse.dbt_project import failure, invoke, new_manifest, plain, quietly
from lakehouse.engine import as_default, is_sail, register_tables
from lakehouse.outcomes import Recorder, written_since
from lakehouse.settings import Settings
from lakehouse.tables import built_tables, table_named
from lakehouse.written_files import append_rows, replace_rows


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
    with _answers(settings, command) as answers, as_default(session), quietly(settings) as places:
        told = json.dumps({**_own_variables(answers), **variables})
        manifest = new_manifest(settings, places)
        result = invoke(manifest, [*command, "--vars", told, *places])
        nodes = list(getattr(result.result, "results", []))
        if answers:
            models = [node.node for node in nodes if node.status == "success"]
            _take_over(session, settings, models, answers)
    _record(settings, recorder, nodes, before)
    failed = [node for node in nodes if node.status in ("error", "fail", "runtime error")]
    if result.exception or failed:
        problem = str(result.exception or f"{failed[0].node.name}: {failed[0].message}")
        raise failure(settings, " ".join(command), problem)


def _own_variables(answers: Path | None) -> dict[str, Any]:
    """The variables that no build tells."""
    told = {table.full_name: table.told_columns for table in built_tables()}
    return {"told_columns": told, "answers": str(answers or "")}


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
                "error": None if is_success else plain(node.message or ""),
                **(written_since(path, before[node.node.name]) if node.node.name in before else {}),
            }
        )
