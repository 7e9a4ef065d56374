"""Streams by name, whose they are, and how they are when nothing runs."""

from __future__ import annotations

import os
import time

import pytest

from lakehouse.errors import StreamFailed, UnknownStream
from lakehouse.settings import Settings
from lakehouse.streams.owner import Owner, disown
from lakehouse.streams.service import is_alive, job_service, stop_stream
from lakehouse.streams.status import status_of
from lakehouse.streams.stream import PRICES, TRADES, stream_named


def test_a_stream_that_there_is_not_is_named() -> None:
    with pytest.raises(UnknownStream, match=r"no stream traids\. Streams: trades, prices"):
        stream_named("traids")


def test_nothing_runs_where_nothing_was_started(settings: Settings) -> None:
    status = status_of(settings, TRADES)
    assert (status.producer, status.job) == ("stopped", "stopped")
    assert (status.lag_messages, status.last_batch_at) == (None, None)
    assert not is_alive(settings, TRADES)
    assert stop_stream(settings, TRADES) == []


def test_the_last_job_to_claim_a_stream_has_it(settings: Settings) -> None:
    first, second = Owner(settings, TRADES), Owner(settings, TRADES)
    first.claim()
    first.demand()
    second.claim()
    assert (first.touch(), second.touch()) == (False, True)
    with pytest.raises(StreamFailed, match="another job took it over"):
        first.demand()
    disown(settings, TRADES)
    with pytest.raises(StreamFailed, match="it was stopped"):
        second.demand()


def test_a_query_whose_job_fell_silent_lands_nothing_more(settings: Settings) -> None:
    owner = Owner(settings, TRADES)
    owner.claim()
    an_hour_ago = time.time() - 3600
    os.utime(owner.file, (an_hour_ago, an_hour_ago))
    with pytest.raises(StreamFailed, match="its job is gone"):
        owner.demand()


def test_each_job_has_a_port_of_its_own_and_starts_anew_with_other_settings(
    settings: Settings,
) -> None:
    trades, prices = job_service(settings, TRADES), job_service(settings, PRICES)
    assert (trades.port, prices.port) == (8002, 8003)
    faster = settings.streams.model_copy(update={"batch_seconds": 1.0})
    changed = job_service(settings.model_copy(update={"streams": faster}), TRADES)
    assert changed.kind != trades.kind
