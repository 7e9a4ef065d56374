"""What watch_streams makes of the setting that names its streams."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from typing import Any

import pytest

from lakehouse.places import PROJECT
from lakehouse.settings import load_settings


@pytest.fixture(params=["[]", '["trades", "prices"]'])
def dag(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The DAG, with no stream to watch and with both."""
    monkeypatch.setenv("LAKEHOUSE__STREAMS__WATCHED", request.param)
    load_settings.cache_clear()
    yield runpy.run_path(str(PROJECT / "dags" / "watch_streams.py"))["watch_streams"]()
    load_settings.cache_clear()


def test_there_is_a_task_for_each_stream_that_is_watched(dag: Any) -> None:
    given = dag.get_task("keep_alive").op_kwargs_expand_input.value
    assert given == {"stream": list(load_settings().streams.watched)}
    assert dag.get_task("bring_in_late").upstream_task_ids == {"keep_alive"}


def test_it_runs_every_five_minutes_one_run_at_a_time(dag: Any) -> None:
    assert dag.timetable.expression == "*/5 * * * *"
    assert (dag.max_active_runs, dag.catchup) == (1, False)
