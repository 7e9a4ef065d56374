"""Judged candles for dead letters, on the run's engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pyspark.sql import SparkSession

from lakehouse.gate import Gate, Judgement
from lakehouse.settings import Settings
from tests.gate.candles import NOW, frame_of

Judge = Callable[..., Judgement]


@pytest.fixture
def judge(spark: SparkSession, settings: Settings) -> Judge:
    """Candles through the bronze gate."""

    def judged(rows: list[dict[str, Any]], **changes: Any) -> Judgement:
        changed = settings.model_copy(update=changes)
        gate = Gate("bronze.raw_market_data", changed, NOW)
        return gate.judge(gate.annotate(frame_of(spark, rows)))

    return judged
