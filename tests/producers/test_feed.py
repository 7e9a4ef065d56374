"""The websocket of the trade feed: subscribing, answering, and coming back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import structlog
from pydantic import SecretStr

from lakehouse.errors import InvalidSetting
from lakehouse.producers.feed import TradeFeed, address_of
from lakehouse.producers.journal import Journal
from lakehouse.producers.metrics import Metrics
from lakehouse.settings import Settings
from lakehouse.settings import TradeFeed as Options
from tests.conftest import settings_for
from tests.producers.feed_server import feed_server, frame_of, trade

TOKEN = "sesame/öffne dich"  # noqa: S105 - not a secret anywhere else


def settings_with(lake: Path, **options: object) -> Settings:
    base = {"backoff_seconds": 0.01, "longest_backoff_seconds": 0.05, "symbols": ("A", "B")}
    settings = settings_for(lake)
    feed = Options.model_validate({**base, **options})
    streams = settings.streams.model_copy(update={"trade_feed": feed})
    return settings.model_copy(update={"streams": streams})


class Receiving:
    """A feed that is received until a condition is met."""

    def __init__(self, lake: Path) -> None:
        self.lake = lake
        self.metrics = Metrics("trades")
        self.journal = Journal(lake / "journal", "trades")

    def until(self, is_done: Callable[[], bool], **options: object) -> None:
        feed = TradeFeed(settings_with(self.lake, **options), self.journal, self.metrics)
        asyncio.run(self._until(feed, is_done))

    async def _until(self, feed: TradeFeed, is_done: Callable[[], bool]) -> None:
        task = asyncio.create_task(feed.receive())
        async with asyncio.timeout(10):
            while not is_done() and not task.done():
                await asyncio.sleep(0.01)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    def count(self, name: str, **labels: str) -> float:
        labels = {"stream": "trades", **labels}
        name = f"pipeline_producer_{name}_total"
        return self.metrics.registry.get_sample_value(name, labels) or 0

    @property
    def lines(self) -> bytes:
        return self.journal.read(self.journal.confirmed, 1_000_000)[0]


@pytest.fixture
def receiving(tmp_path: Path) -> Iterator[Receiving]:
    receiving = Receiving(tmp_path)
    yield receiving
    receiving.journal.close()


def test_it_subscribes_answers_pings_and_keeps_what_arrives(receiving: Receiving) -> None:
    with feed_server([frame_of(trade(), trade()), '{"type":"ping"}', "oops"]) as feed:
        receiving.until(lambda: len(feed.received[:1] and feed.received[0]) == 3, url=feed.url)
        assert feed.received[0] == [
            {"type": "subscribe", "symbol": "A"},
            {"type": "subscribe", "symbol": "B"},
            {"type": "pong"},
        ]
    assert [line[:2] for line in receiving.lines.splitlines()[:3]] == [b"@1", b'{"', b"1{"]
    assert receiving.count("received") == 3
    assert receiving.count("valid") == 2
    assert receiving.count("rejected", reason="message is not JSON") == 1


def test_it_comes_back_subscribes_again_and_numbers_anew(receiving: Receiving) -> None:
    frame = frame_of(trade(), trade())
    with feed_server([frame, None], [frame]) as feed:
        receiving.until(lambda: receiving.count("valid") == 4, url=feed.url)
        assert len(feed.paths) == 2
    assert receiving.lines.count(b"\n1{") == 2
    assert receiving.count("reconnects") == 1


def test_a_silent_feed_is_left_for_a_new_connection(receiving: Receiving) -> None:
    with feed_server() as feed:
        receiving.until(lambda: len(feed.paths) == 2, url=feed.url, silence_seconds=0.1)
    assert receiving.count("reconnects") >= 1


def test_a_feed_that_is_not_there_is_tried_again(receiving: Receiving) -> None:
    with feed_server() as feed:
        url = feed.url
    receiving.until(lambda: receiving.count("reconnects") == 3, url=url)


def test_an_error_of_the_feed_is_counted(receiving: Receiving) -> None:
    with feed_server(['{"type":"error","msg":"Subscribing to too many symbols"}']) as feed:
        receiving.until(lambda: receiving.count("errors", exchange="finnhub") == 1, url=feed.url)


def test_what_is_no_address_is_an_error_of_the_settings(receiving: Receiving) -> None:
    with pytest.raises(InvalidSetting) as caught:
        receiving.until(lambda: False, url="http://somewhere", token=TOKEN)
    assert "sesame" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_the_token_reaches_the_feed_and_nothing_else(
    receiving: Receiving, capfd: pytest.CaptureFixture[str]
) -> None:
    with structlog.testing.capture_logs() as logs, feed_server(_echoing(), [None]) as feed:
        receiving.until(lambda: len(feed.paths) == 2, url=feed.url, token=SecretStr(TOKEN))
        assert feed.paths[0] == "/feed?token=sesame%2F%C3%B6ffne%20dich"
    seen = f"{logs}{receiving.lines.decode()}{capfd.readouterr()}"
    assert "feed_error" in seen
    assert "sesame" not in seen


def _echoing() -> list[str | None]:
    return [f'{{"type":"error","msg":"bad token {TOKEN}"}}', frame_of(trade(p=0)), None]


def test_the_address_shows_neither_token_nor_login(tmp_path: Path) -> None:
    url = "wss://user:pass@feed.example/v1?key=1"
    address = address_of(settings_with(tmp_path, url=url, token=SecretStr("a b")))
    assert address.url == "wss://user:pass@feed.example/v1?key=1&token=a%20b"
    assert address.shown == "wss://feed.example/v1"
    assert "pass" not in repr(address)


def test_pauses_grow_to_the_longest_and_are_spread(receiving: Receiving) -> None:
    options = {"backoff_seconds": 1, "longest_backoff_seconds": 8}
    settings = settings_with(receiving.lake, **options)
    feed = TradeFeed(settings, receiving.journal, receiving.metrics)
    for failures, longest in ((1, 1), (2, 2), (3, 4), (4, 8), (1000, 8)):
        feed._failures = failures
        pauses = [feed._pause() for _ in range(50)]
        assert all(longest / 2 <= pause <= longest for pause in pauses)
        assert len(set(pauses)) > 1
