"""Which engine a task takes, and what its work is called."""

from __future__ import annotations

import os

import pytest

from orchestration.context import CONNECTION, in_lakehouse, without_airflow

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


def test_what_a_task_starts_knows_the_lake_and_nothing_of_the_task(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    of_the_task = ("AIRFLOW_CTX_DAG_ID", "AIRFLOW__API_AUTH__JWT_SECRET", "__AIRFLOW_SUPERVISOR_FD")
    for name in of_the_task:
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("LAKEHOUSE__ROOT", "lake")
    before = dict(os.environ)
    with without_airflow():
        assert not [name for name in os.environ if "AIRFLOW_" in name and "LAKEHOUSE" not in name]
        assert os.environ["LAKEHOUSE__ROOT"] == "lake"
    assert dict(os.environ) == before
