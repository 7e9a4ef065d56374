"""Judged candles for dead letters: on Sail, and on Spark as well where engines may differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pyspark.sql import SparkSession

from lakehouse.gate import Gate, Judgement
from lakehouse.settings import Settings
from tests.gate.candles import NOW, frame_of

Judge = Callable[..., Judgement]
# What engines collect and read back; all else of a letter is Python.
on_both = pytest.mark.parametrize("session", ["spark", "sail"], indirect=True)


@pytest.fixture
def session(request: pytest.FixtureRequest) -> SparkSession:
    found: SparkSession = request.getfixturevalue(getattr(request, "param", "sail"))
    return found


@pytest.fixture
def judge(session: SparkSession, settings: Settings) -> Judge:
    """Candles through the bronze gate."""

    def judged(rows: list[dict[str, Any]], **changes: Any) -> Judgement:
        changed = settings.model_copy(update=changes)
        gate = Gate("bronze.raw_market_data", changed, NOW)
        return gate.judge(gate.annotate(frame_of(session, rows)))

    return judged
