"""Which engine a task takes, and what its work is called."""

from __future__ import annotations

import os

import pytest

from orchestration.context import CONNECTION, in_lakehouse

VARIABLE = f"AIRFLOW_CONN_{CONNECTION.upper()}"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    # Set and taken away, so that it is put back as it was whatever the test does.
    monkeypatch.setenv("SPARK_REMOTE", "")
    monkeypatch.delenv("SPARK_REMOTE")


def engine_taken() -> str | None:
    with in_lakehouse():
        return os.environ.get("SPARK_REMOTE")


def test_the_connection_points_a_task_to_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, '{"conn_type": "spark_connect", "host": "spark", "port": 15002}')
    assert engine_taken() == "sc://spark:15002/"


def test_spark_remote_comes_before_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, '{"conn_type": "spark_connect", "host": "spark", "port": 15002}')
    monkeypatch.setenv("SPARK_REMOTE", "sc://other:15002")
    assert engine_taken() == "sc://other:15002"


def test_a_connection_without_a_host_leaves_the_lake_its_own_engine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(VARIABLE, '{"conn_type": "spark_connect"}')
    assert engine_taken() is None


def test_without_a_connection_the_lake_takes_its_own_engine() -> None:
    assert engine_taken() is None
