"""What Great Expectations would look for, as Spark columns instead of as answers.

GX computes an expectation by running a query each. Here it is asked for the condition alone: its
own Spark engine resolves the metric against the shape of the rows, and the conditions of a whole
suite go into one query. GX says what is unexpected; the gate says when it is computed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, cast

from great_expectations.core import ExpectationValidationResult
from great_expectations.exceptions.exceptions import GreatExpectationsError
from great_expectations.execution_engine.sparkdf_batch_data import SparkDFBatchData
from great_expectations.execution_engine.sparkdf_execution_engine import (
    SparkDFExecutionEngine,
)
from great_expectations.expectations.expectation import (
    BatchExpectation,
    ColumnMapExpectation,
    ColumnPairMapExpectation,
    MulticolumnMapExpectation,
)
from great_expectations.expectations.registry import get_expectation_impl
from great_expectations.validator.metric_configuration import MetricConfiguration
from great_expectations.validator.validation_graph import ValidationGraph
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from lakehouse.gate.configured import configured_once
from lakehouse.gate.suites import Check, Suite

RowExpectation = ColumnMapExpectation | ColumnPairMapExpectation | MulticolumnMapExpectation
UNIQUENESS = {"compound_columns.unique", "column_values.unique"}
NEED_AN_ORDER = {"column_values.increasing", "column_values.decreasing"}
# `mostly` and `row_condition` would let bad rows through unnamed; that is what tolerance is for.
REFUSED = {"mostly", "row_condition", "condition_parser", "result_format", "catch_exceptions"}
RESULT_FORMAT = {"result_format": "BASIC"}
ROW_COUNT = "table.row_count"

_compiled: dict[tuple[Suite, tuple[int, ...], type, str], list[Condition]] = {}


@dataclass(frozen=True, slots=True)
class Condition:
    """A check as GX understands it. `index` is its place in the suite, `wanted` the metrics that GX
    asks for, by name: it takes milliseconds to say which, and a gate asks often."""

    index: int
    check: Check
    expectation: BatchExpectation
    wanted: Mapping[str, MetricConfiguration]

    def result(self, values: Mapping[str, Any]) -> ExpectationValidationResult:
        """GX's own verdict over the metrics it asks for, by name. A name absent means None."""
        metrics = {wanted.id: values.get(name) for name, wanted in self.wanted.items()}
        with configured_once(self.expectation):
            return self.expectation.metrics_validate(
                metrics, runtime_configuration={"result_format": dict(RESULT_FORMAT)}
            )


@dataclass(frozen=True, slots=True)
class RowCondition(Condition):
    """A check of each row: `broken` is true of the rows GX calls unexpected, `skipped` of those it
    does not look at. `keys` are the columns that must be unique, if that is what it checks."""

    broken: Column
    skipped: Column
    metric: str
    keys: tuple[str, ...]

    @property
    def bit(self) -> int:
        return 1 << self.index

    def values(self, rows: int, broken: int, skipped: int) -> dict[str, Any]:
        """The metrics GX judges it by, over a batch with those counts."""
        return {
            "column_values.nonnull.unexpected_count": skipped,
            f"{self.metric}.filtered_row_count": rows - skipped,
            f"{self.metric}.unexpected_count": broken,
            "table.row_count": rows,
        }


@dataclass(frozen=True, slots=True)
class BatchCondition(Condition):
    """A check of a batch as a whole. `metrics`: aggregates as columns, facts as they are."""

    metrics: Mapping[str, Any]

    @property
    def aggregates(self) -> dict[str, Column]:
        """What must be computed of a batch, each under a name no other check uses."""
        wanted = {name: m for name, m in self.metrics.items() if isinstance(m, Column)}
        wanted.pop(ROW_COUNT, None)
        return {f"{self.index}:{name}": column for name, column in wanted.items()}

    def values(self, rows: int, observed: Mapping[str, Any]) -> dict[str, Any]:
        """The metrics GX judges it by; `observed` are the aggregates of the batch."""
        found = {
            name: observed[f"{self.index}:{name}"]
            for name in self.metrics
            if f"{self.index}:{name}" in self.aggregates
        }
        return {**self.metrics, **found, ROW_COUNT: rows}


class _Shape:
    """Stands where GX expects a frame: it has the columns and remembers the filters."""

    def __init__(self, schema: StructType, kept: Sequence[Column] = ()) -> None:
        self.schema = schema
        self.kept = tuple(kept)

    @property
    def columns(self) -> list[str]:
        return list(self.schema.names)

    def filter(self, condition: Column | str) -> _Shape:
        column = F.expr(condition) if isinstance(condition, str) else condition
        return _Shape(self.schema, (*self.kept, column))

    def __getitem__(self, names: list[str]) -> _Shape:
        return _Shape(StructType([self.schema[name] for name in names]), self.kept)


class _SymbolicEngine(SparkDFExecutionEngine):
    """GX's Spark engine, answering with the aggregate instead of its value."""

    def __init__(self, spark: SparkSession, schema: StructType) -> None:
        super().__init__(spark=spark, persist=False)
        self.load_batch_data("rows", SparkDFBatchData(self, _Shape(schema)))

    def resolve_metric_bundle(self, metric_fn_bundle: Iterable[Any]) -> dict[Any, Any]:
        return {metric.metric_configuration.id: metric.metric_fn for metric in metric_fn_bundle}

    def resolve(self, metric: MetricConfiguration) -> Any:
        graph = ValidationGraph(execution_engine=self)
        graph.build_metric_dependency_graph(metric_configuration=metric)
        resolved, aborted = graph.resolve(
            runtime_configuration={}, min_graph_edges_pbar_enable=0, show_progress_bars=False
        )
        if metric.id not in resolved:
            problems = [info["exception_info"]["exception_message"] for info in aborted.values()]
            raise GreatExpectationsError("; ".join(map(str, problems)))
        return resolved[metric.id]


def compile_suite(
    suite: Suite, checks: Sequence[tuple[int, Check]], spark: SparkSession, schema: StructType
) -> list[Condition]:
    """The checks against rows of that schema, helper columns included. Raises InvalidSuite.

    Done once a process for rows of a kind: it takes a tenth of a second.
    """
    # Columns of Spark Connect are not those of a session inside this process.
    key = (suite, tuple(index for index, _ in checks), type(spark), schema.json())
    if key not in _compiled:
        _compiled[key] = _compile_all(suite, checks, spark, schema)
    return _compiled[key]


def _compile_all(
    suite: Suite, checks: Sequence[tuple[int, Check]], spark: SparkSession, schema: StructType
) -> list[Condition]:
    engine = _SymbolicEngine(spark, schema)
    conditions = [_compile(suite, engine, schema, index, check) for index, check in checks]
    unique = [c.check for c in conditions if isinstance(c, RowCondition) and c.keys]
    if len(unique) > 1:
        raise suite.wrong("it asks for uniqueness twice; a gate can do it once")
    return conditions


def _compile(
    suite: Suite, engine: _SymbolicEngine, schema: StructType, index: int, check: Check
) -> Condition:
    unknown = sorted(set(check.columns) - set(schema.names))
    if unknown:
        raise suite.wrong(f"{check.expect} ({check.reason}) names {unknown[0]}, no such column")
    expectation = expectation_of(suite, check)
    try:
        with configured_once(expectation):
            return _condition(engine, index, check, expectation)
    except (GreatExpectationsError, TypeError, ValueError, AttributeError) as error:
        raise suite.wrong(f"{check.expect} ({check.reason}) cannot be computed: {error}") from None


def expectation_of(suite: Suite, check: Check) -> BatchExpectation:
    """GX's expectation for a check. Raises InvalidSuite for what GX does not know."""
    refused = sorted(REFUSED & set(check.kwargs))
    if refused:
        raise suite.wrong(f"{check.expect} ({check.reason}) must not use {refused[0]}")
    try:
        kind = get_expectation_impl(check.expect)
        meta = {"severity": check.severity, "reason": check.reason}
        return cast(BatchExpectation, kind(**check.kwargs, meta=meta))
    except GreatExpectationsError:
        raise suite.wrong(f"there is no expectation {check.expect}") from None
    except (TypeError, ValueError) as error:
        problem = " ".join(str(error).split())
        raise suite.wrong(f"{check.expect} ({check.reason}): {problem}") from None


def _condition(
    engine: _SymbolicEngine, index: int, check: Check, expectation: BatchExpectation
) -> Condition:
    wanted = _dependencies(expectation)
    if not isinstance(expectation, RowExpectation):
        metrics = {name: engine.resolve(metric) for name, metric in wanted.items()}
        return BatchCondition(index, check, expectation, wanted, metrics)
    metric = str(expectation.map_metric)
    if metric in NEED_AN_ORDER:
        raise ValueError("rows have no order here")
    unexpected, looked_at = _row_columns(engine, expectation, wanted)
    keys = check.columns if metric in UNIQUENESS else ()
    broken, skipped = unexpected & looked_at, ~looked_at
    return RowCondition(index, check, expectation, wanted, broken, skipped, metric, keys)


def _dependencies(expectation: BatchExpectation) -> dict[str, MetricConfiguration]:
    wanted = expectation.get_validation_dependencies(
        runtime_configuration={"result_format": dict(RESULT_FORMAT)}
    )
    configurations: dict[str, MetricConfiguration] = wanted.metric_configurations
    return configurations


def _row_columns(
    engine: _SymbolicEngine, expectation: RowExpectation, wanted: Mapping[str, MetricConfiguration]
) -> tuple[Column, Column]:
    """Which rows are unexpected, and which rows GX looks at."""
    count = wanted[f"{expectation.map_metric}.unexpected_count"]
    metric = MetricConfiguration(
        f"{expectation.map_metric}.condition", count.metric_domain_kwargs, count.metric_value_kwargs
    )
    unexpected, compute, accessor = engine.resolve(metric)
    kept = list(engine.get_domain_records({**compute, **accessor}).kept)
    if isinstance(expectation, ColumnMapExpectation) and _ignores_nulls(expectation):
        kept = [F.col(expectation.column).isNotNull()]
    return unexpected, reduce(lambda a, b: a & b, kept, F.lit(True))


def _ignores_nulls(expectation: ColumnMapExpectation) -> bool:
    return expectation.map_metric not in {"column_values.nonnull", "column_values.null"}
