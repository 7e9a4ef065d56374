"""The gate counts what Great Expectations itself counts on the same rows."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakehouse.gate import Gate
from lakehouse.gate.library import library
from lakehouse.settings import load_settings
from tests.gate.candles import NOW, candle, frame_of

FAULTS: list[dict[str, Any]] = [
    {"open": None},
    {"high": 80.0},
    {"low": math.nan},
    {"close": math.inf},
    {"close": -5.0},
    {"volume": -1.0},
    {"provider": None},
    {"timeframe": "7m"},
    {"timestamp": None},
    {"timeframe": "1h"},
]


def faulty_candles(count: int) -> list[dict[str, Any]]:
    chance = random.Random(7)  # noqa: S311 - it must repeat itself
    rows = []
    for minute in range(count):
        faults = chance.sample(FAULTS, chance.choice([0, 0, 1, 2, 3]))
        changes = {name: value for fault in faults for name, value in fault.items()}
        rows.append(candle(minute, **changes))
    return [*rows, candle(5, close=101.0), candle(6, close=102.0)]


@pytest.fixture(scope="module")
def gate() -> Gate:
    return Gate("bronze.raw_market_data", load_settings(), NOW, is_live=True)


@pytest.fixture(scope="module")
def theirs(sail: SparkSession, gate: Gate) -> dict[str, dict[str, Any]]:
    """What GX finds by itself; on the engine where its many queries take the least time."""
    gx = library()
    judged = gate.judge(gate.annotate(frame_of(sail, faulty_candles(300))))
    expectations = [finding.condition.expectation for finding in judged.verdicts[0].findings]
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_spark("rows", persist=False)
    definition = source.add_dataframe_asset("rows").add_batch_definition_whole_dataframe("all")
    batch = definition.get_batch({"dataframe": gate.with_helpers(judged.rows)})
    suite = gx.ExpectationSuite(name="same", expectations=expectations)
    return counts(batch.validate(suite, result_format="BASIC").results)


def test_the_counts_are_those_of_gx_on_the_same_rows(
    session: SparkSession, gate: Gate, theirs: dict[str, dict[str, Any]]
) -> None:
    judged = gate.judge(gate.annotate(frame_of(session, faulty_candles(300))))
    (verdict,) = judged.verdicts
    assert counts([finding.result() for finding in verdict.findings]) == theirs
    assert all(f.is_success is bool(f.result().success) for f in verdict.findings)
    rejected = judged.rows.where(F.size("reasons") > 0).count()
    assert rejected == verdict.rejected > 0


def test_a_result_is_the_one_gx_gives_when_it_configures_everything_anew(
    sail: SparkSession, gate: Gate
) -> None:
    judged = gate.judge(gate.annotate(frame_of(sail, faulty_candles(30))))
    from lakehouse.gate.conditions import RESULT_FORMAT  # GX is imported by now

    for finding in judged.verdicts[0].findings:
        condition = finding.condition
        metrics = {m.id: finding.values.get(name) for name, m in condition.wanted.items()}
        anew = condition.expectation.metrics_validate(
            metrics, runtime_configuration={"result_format": dict(RESULT_FORMAT)}
        )
        assert finding.result().to_json_dict() == anew.to_json_dict()


def counts(results: list[Any]) -> dict[str, dict[str, Any]]:
    """What GX says of each expectation, by its reason."""
    names = ("element_count", "unexpected_count", "missing_count", "observed_value")
    return {
        result.expectation_config.meta["reason"]: {
            "success": result.success,
            **{name: result.result.get(name) for name in names},
        }
        for result in results
    }
