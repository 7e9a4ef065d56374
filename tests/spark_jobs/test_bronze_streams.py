"""Watching a stream: what lives is left alone, what died is started again. No broker is started."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from lakehouse import services
from lakehouse.errors import UnknownStream
from lakehouse.services import Running, Service
from lakehouse.settings import Settings
from lakehouse.streams.status import job_name, producer_name
from lakehouse.streams.stream import TRADES, Stream
from spark_jobs import bronze_streams
from tests.killing import kill

PARTS = (producer_name(TRADES), job_name(TRADES))


def sleeper(settings: Settings, name: str) -> Running:
    """A process that lives under the name of a service and does nothing."""

    def command(_: int) -> list[str]:
        return [sys.executable, "-c", "import time; time.sleep(60)"]

    return Service(name, "test", settings.lake, command, {}, is_listening=False).ensure()


@pytest.fixture
def alive(settings: Settings) -> Iterator[list[Running]]:
    """The stream's producer and job, as far as the lake can tell."""
    yield [sleeper(settings, name) for name in PARTS]
    services.stop_all(settings.lake)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The streams that were started, in words only: the broker and the engine would take long."""
    names: list[str] = []

    def ensure(settings: Settings, stream: Stream) -> None:
        names.append(stream.name)

    monkeypatch.setattr(bronze_streams, "ensure_stream", ensure)
    return names


def test_a_stream_that_lives_is_left_alone(
    settings: Settings, alive: list[Running], started: list[str]
) -> None:
    assert bronze_streams.watch(settings, "trades") == "alive"
    assert started == []
    assert services.running_services(settings.lake) == alive


@pytest.mark.parametrize("part", [0, 1], ids=["producer", "job"])
def test_a_stream_with_a_dead_part_is_started_again_and_the_part_is_named(
    settings: Settings,
    alive: list[Running],
    started: list[str],
    caplog: pytest.LogCaptureFixture,
    part: int,
) -> None:
    kill(alive[part])
    assert bronze_streams.watch(settings, "trades") == "restarted"
    assert started == ["trades"]
    assert f"{PARTS[part]} did not run" in caplog.text
    assert PARTS[1 - part] not in caplog.text


def test_a_stream_that_never_ran_is_started(settings: Settings, started: list[str]) -> None:
    assert bronze_streams.watch(settings, "prices") == "restarted"
    assert started == ["prices"]


def test_there_is_no_other_stream(settings: Settings, started: list[str]) -> None:
    with pytest.raises(UnknownStream, match="There is no stream candles"):
        bronze_streams.watch(settings, "candles")
    assert started == []


def test_the_job_says_so_too_with_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        bronze_streams.main(["candles"])
    assert ended.value.code == 2
    assert "Streams: trades, prices" in " ".join(capsys.readouterr().err.split())
