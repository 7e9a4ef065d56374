"""A run as OpenLineage events: for each of its steps one that it began, and one of how it ended.

The ids follow from what they name, so that telling of a run again tells nothing new.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lakehouse.lineage.runs import LAKE, Dataset, StepRun
from lakehouse.settings import Settings
from lakehouse.tables import registry

if TYPE_CHECKING:
    from openlineage.client.event_v2 import InputDataset, OutputDataset, RunEvent
    from openlineage.client.generated.base import InputDatasetFacet, OutputDatasetFacet

PRODUCER = "urn:lakehouse"
TABLE = "TABLE"


def events(settings: Settings, run_id: str, steps: Sequence[StepRun]) -> list[RunEvent]:
    """The events of the run's steps, in the order of their times."""
    told = [event for step in steps for event in _events(settings, run_id, step)]
    return sorted(told, key=lambda event: event.eventTime)


def as_json(event: RunEvent) -> str:
    """The event on one line, in the words of the standard."""
    from openlineage.client.serde import Serde

    return Serde.to_json(event)


def _events(settings: Settings, run_id: str, step: StepRun) -> Iterator[RunEvent]:
    from openlineage.client.event_v2 import Job, Run, RunEvent, RunState
    from openlineage.client.facet_v2 import job_type_job

    kind = job_type_job.JobTypeJobFacet("BATCH", "LAKEHOUSE", "STEP", producer=PRODUCER)
    job = Job(LAKE, step.job, {"jobType": kind})
    identity = _uuid(run_id, step.job, step.started_at.isoformat())
    end = RunState.FAIL if step.outcome["status"] == "error" else RunState.COMPLETE
    for state, time in ((RunState.START, step.started_at), (end, step.ended_at)):
        is_end = state is not RunState.START
        yield RunEvent(
            eventTime=time.isoformat(),
            eventType=state,
            producer=PRODUCER,
            run=Run(identity, _run_facets(run_id, step, is_end=is_end)),
            job=job,
            inputs=[_input(settings, dataset, step) for dataset in step.inputs],
            outputs=[_output(settings, dataset, step) for dataset in step.outputs if is_end],
        )


def _run_facets(run_id: str, step: StepRun, *, is_end: bool) -> dict[str, Any]:
    from openlineage.client.facet_v2 import error_message_run, nominal_time_run, parent_run

    whole = parent_run.ParentRunFacet(
        parent_run.Run(_uuid(run_id)), parent_run.Job(LAKE, "run"), producer=PRODUCER
    )
    end = step.ended_at.isoformat() if is_end else None
    time = nominal_time_run.NominalTimeRunFacet(step.started_at.isoformat(), end, producer=PRODUCER)
    facets: dict[str, Any] = {"parent": whole, "nominalTime": time}
    if is_end and step.outcome["error"]:
        facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(
            step.outcome["error"], "python", producer=PRODUCER
        )
    return facets


def _input(settings: Settings, dataset: Dataset, step: StepRun) -> InputDataset:
    from openlineage.client.event_v2 import InputDataset
    from openlineage.client.facet_v2 import input_statistics_input_dataset as statistics

    facets: dict[str, InputDatasetFacet] = {}
    # Counted over all inputs of a step, rows can be said of an only one.
    if step.outcome["rows_in"] is not None and len(step.inputs) == 1:
        facets["inputStatistics"] = statistics.InputStatisticsInputDatasetFacet(
            step.outcome["rows_in"], producer=PRODUCER
        )
    described = _described(settings, dataset)
    return InputDataset(dataset.namespace, dataset.name, facets, facets=described)


def _output(settings: Settings, dataset: Dataset, step: StepRun) -> OutputDataset:
    from openlineage.client.event_v2 import OutputDataset
    from openlineage.client.facet_v2 import output_statistics_output_dataset as statistics

    facets: dict[str, OutputDatasetFacet] = {}
    if step.outcome["rows_out"] is not None:
        facets["outputStatistics"] = statistics.OutputStatisticsOutputDatasetFacet(
            step.outcome["rows_out"], producer=PRODUCER
        )
    described = _described(settings, dataset)
    return OutputDataset(dataset.namespace, dataset.name, facets, facets=described)


def _described(settings: Settings, dataset: Dataset) -> dict[str, Any]:
    """What is told of a table: its version, its columns, and where it lies, by which other tools
    know it."""
    from openlineage.client.facet_v2 import dataset_version_dataset, schema_dataset
    from openlineage.client.facet_v2 import symlinks_dataset as symlinks

    table = registry().get(dataset.name)
    if table is None:
        return {}
    fields = [
        schema_dataset.SchemaDatasetFacetFields(column.name, column.type, column.description)
        for column in table.columns
    ]
    place = symlinks.Identifier("file", str(table.path(settings.lake)), TABLE)
    facets: dict[str, Any] = {
        "schema": schema_dataset.SchemaDatasetFacet(fields, producer=PRODUCER),
        "symlinks": symlinks.SymlinksDatasetFacet([place], producer=PRODUCER),
    }
    if dataset.version is not None:
        facets["version"] = dataset_version_dataset.DatasetVersionDatasetFacet(
            str(dataset.version), producer=PRODUCER
        )
    return facets


def _uuid(*facts: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join((PRODUCER, *facts))))
