"""Data Docs: a gate's results as pages that Great Expectations renders, kept with the lake.

One page a table and run, its batches taken together; single batches are in ops.quality_results.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from lakehouse.gate.library import library
from lakehouse.gate.verdicts import BatchVerdict, Finding

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuiteValidationResult
    from great_expectations.data_context.types.resource_identifiers import (
        ValidationResultIdentifier,
    )

SITE = "lake"
RESULTS = ".results"
KEPT_RUNS = 30
ALL_BATCHES = "all-batches"
NO_PAGE = "none"  # for no page at all GX would build those of all runs


def write_data_docs(
    verdicts: Sequence[BatchVerdict],
    lake: Path,
    run_id: str,
    now: datetime | None = None,
    *,
    keep: int = KEPT_RUNS,
) -> Path:
    """Add the pages of a run to `<lake>/data_docs`; the path of its index.

    Takes about 0.1 s a table. Of the runs the newest are kept, so many, for GX makes the index
    anew from all of them; ops.quality_results keeps what every run found.
    """
    folder = (lake / "data_docs").absolute()
    context = _context(folder)
    moment = now or datetime.now(UTC)
    # The index is made of all runs' results, and another run may be writing its own.
    with FileLock(folder / ".lock"):
        by_table = groupby(sorted(verdicts, key=_table), key=_table)
        pages = [_store(context, name, list(group), run_id, moment) for name, group in by_table]
        _forget_old_runs(context, keep)
        # All at once, for GX compiles its templates anew for each call.
        context.build_data_docs(resource_identifiers=[NO_PAGE, *pages])
    return folder / "index.html"


def _context(folder: Path) -> Any:
    """A GX context whose results and pages are in that folder."""
    gx = library()
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
    )

    folder.mkdir(parents=True, exist_ok=True)
    config = DataContextConfig(store_backend_defaults=InMemoryStoreBackendDefaults())
    config.stores[config.validation_results_store_name]["store_backend"] = _files(folder / RESULTS)
    config.data_docs_sites = {SITE: _site(folder)}
    return gx.get_context(mode="ephemeral", project_config=config)


def _forget_old_runs(context: Any, keep: int) -> None:
    """Drop their results; GX drops pages that have none."""
    results = context.validation_results_store
    keys_of: dict[tuple[datetime, str], list[Any]] = defaultdict(list)
    for key in results.list_keys():
        keys_of[key.run_id.run_time, key.run_id.run_name].append(key)
    for run in sorted(keys_of, reverse=True)[keep:]:
        for key in keys_of[run]:
            results.remove_key(key)


def _table(verdict: BatchVerdict) -> str:
    return verdict.table


def _site(folder: Path) -> dict[str, Any]:
    return {
        "class_name": "SiteBuilder",
        "show_how_to_buttons": False,
        "store_backend": _files(folder),
        "site_index_builder": {
            "module_name": "lakehouse.gate.docs_index",
            "class_name": "RunsIndexBuilder",
        },
    }


def _files(folder: Path) -> dict[str, str]:
    return {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder)}


def _store(
    context: Any, table: str, verdicts: list[BatchVerdict], run_id: str, now: datetime
) -> ValidationResultIdentifier:
    """Keep the results of a table; what GX knows them by."""
    from great_expectations.core import RunIdentifier
    from great_expectations.data_context.types.resource_identifiers import (
        ExpectationSuiteIdentifier,
        ValidationResultIdentifier,
    )

    suite = ExpectationSuiteIdentifier(table)
    run = RunIdentifier(run_name=run_id, run_time=now)
    key = ValidationResultIdentifier(suite, run, ALL_BATCHES)
    result = _suite_result(table, verdicts, {"run_id": run, "validation_time": now.isoformat()})
    context.validation_results_store.store_validation_results(result, key, suite)
    return key


def _suite_result(
    table: str, verdicts: list[BatchVerdict], meta: dict[str, Any]
) -> ExpectationSuiteValidationResult:
    from great_expectations.core import ExpectationSuiteValidationResult

    by_check = zip(*(verdict.findings for verdict in verdicts), strict=True)
    results = [_together(findings).result() for findings in by_check]
    asset = {"datasource_name": "lakehouse", "data_asset_name": table, "batch_identifiers": {}}
    about: dict[str, Any] = {"active_batch_definition": {**asset, "data_connector_name": "gate"}}
    good = sum(bool(result.success) for result in results)
    return ExpectationSuiteValidationResult(
        success=good == len(results),
        results=results,
        suite_name=table,
        statistics={
            "evaluated_expectations": len(results),
            "successful_expectations": good,
            "unsuccessful_expectations": len(results) - good,
            "success_percent": 100 * good / len(results) if results else None,
        },
        meta=about | meta,
    )


def _together(findings: Sequence[Finding]) -> Finding:
    """One check over several batches: its counts added up, or the batch where it fared worst."""
    worst = min(findings, key=lambda finding: finding.is_success)
    if not worst.is_about_rows:
        return worst
    values: Mapping[str, int] = {
        name: sum(finding.values[name] for finding in findings) for name in worst.values
    }
    broken = sum(finding.rows_unexpected for finding in findings)
    return Finding(worst.condition, True, values, worst.is_success, broken)
