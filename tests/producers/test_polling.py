"""The ticker poll, of the embedded exchange in three dialects."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
import pytest

from lakehouse.errors import InvalidSetting, UnknownAsset, UnknownProvider
from lakehouse.producers.journal import Journal
from lakehouse.producers.metrics import Metrics
from lakehouse.producers.polling import TickerPoll, polled_exchanges
from lakehouse.settings import Provider, Settings
from lakehouse.simulated import RunningExchange, running_exchange
from tests.conftest import settings_for

NAMES = ("binance", "coinbase", "kraken")


@pytest.fixture(scope="module")
def exchange() -> Iterator[RunningExchange]:
    with running_exchange() as exchange:
        yield exchange


def settings_with(lake: Path, bases: dict[str, str], **options: object) -> Settings:
    settings = settings_for(lake)
    providers = {
        name: Provider.model_validate(
            {"dialect": name, "base_url": base, "attempts": 2, "backoff_seconds": 0.01}
        )
        for name, base in bases.items()
    }
    poll = settings.streams.ticker_poll.model_copy(
        update={"exchanges": tuple(bases), "every_seconds": 0.2, **options}
    )
    streams = settings.streams.model_copy(update={"ticker_poll": poll})
    providers = {**settings.providers, **providers}
    return settings.model_copy(update={"streams": streams, "providers": providers})


class Polling:
    def __init__(self, lake: Path) -> None:
        self.lake = lake
        self.metrics = Metrics("prices")
        self.journal = Journal(lake / "journal", "prices")

    def until(self, is_done: Callable[[], bool], bases: dict[str, str]) -> None:
        poll = TickerPoll(settings_with(self.lake, bases), self.journal, self.metrics)
        asyncio.run(self._until(poll, is_done))

    async def _until(self, poll: TickerPoll, is_done: Callable[[], bool]) -> None:
        task = asyncio.create_task(poll.receive())
        async with asyncio.timeout(20):
            while not is_done():
                assert not task.done()
                await asyncio.sleep(0.01)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    def count(self, name: str, **labels: str) -> float:
        labels = {"stream": "prices", **labels}
        name = f"pipeline_producer_{name}_total"
        return self.metrics.registry.get_sample_value(name, labels) or 0

    def messages(self) -> list[dict[str, Any]]:
        lines = self.journal.read(self.journal.confirmed, 1_000_000)[0].splitlines()
        return [orjson.loads(line) for line in lines if line.startswith(b"{")]


@pytest.fixture
def polling(tmp_path: Path) -> Iterator[Polling]:
    polling = Polling(tmp_path)
    yield polling
    polling.journal.close()


def test_every_exchange_tells_the_same_market(polling: Polling, exchange: RunningExchange) -> None:
    exchange.reset()
    bases = {name: exchange.base_url(name) for name in NAMES}
    polling.until(lambda: polling.count("valid") >= 12, bases)
    messages = polling.messages()
    assert {(message["exchange"], message["symbol"]) for message in messages} == {
        (name, pair) for name in NAMES for pair in ("BTCUSD", "ETHUSD")
    }
    prices = [message["price"] for message in messages if message["symbol"] == "BTCUSD"]
    assert max(prices) / min(prices) < 1.02
    assert all(message["timestamp"] > 1_700_000_000_000 for message in messages)
    assert all(isinstance(message["change_24h"], float) for message in messages)


def test_one_exchange_that_fails_does_not_stop_the_others(
    polling: Polling, exchange: RunningExchange
) -> None:
    exchange.reset()
    bases = {"binance": "http://127.0.0.1:9", "kraken": exchange.base_url("kraken")}
    polling.until(
        lambda: polling.count("valid") >= 4 and polling.count("errors", exchange="binance") >= 2,
        bases,
    )
    assert {message["exchange"] for message in polling.messages()} == {"kraken"}
    assert polling.count("errors", exchange="kraken") == 0


def test_an_answer_that_is_not_json_is_rejected(
    polling: Polling, exchange: RunningExchange
) -> None:
    exchange.reset(malformed_json=1.0)
    bases = {"coinbase": exchange.base_url("coinbase")}
    reason = "message is not JSON"
    polling.until(lambda: polling.count("rejected", reason=reason) >= 2, bases)


def test_a_server_error_is_tried_again(polling: Polling, exchange: RunningExchange) -> None:
    exchange.reset(server_errors=0.3)
    bases = {name: exchange.base_url(name) for name in NAMES}
    polling.until(lambda: polling.count("valid") >= 6, bases)


def test_coinbases_tickers_are_elsewhere_unless_it_was_pointed_somewhere(tmp_path: Path) -> None:
    real = settings_with(tmp_path, {"coinbase": "https://api.coinbase.com"})
    assert polled_exchanges(real)[0].base_url() == "https://api.exchange.coinbase.com"
    own = settings_with(tmp_path, {"coinbase": "http://127.0.0.1:9/coinbase"})
    assert polled_exchanges(own)[0].base_url() == "http://127.0.0.1:9/coinbase"


def test_simulated_stands_for_three_exchanges_with_their_own_symbols(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, {}, exchanges=("simulated",), assets=("BTCUSD",))
    symbols = {each.asker.exchange: each.symbols for each in polled_exchanges(settings)}
    assert symbols == {
        "binance": {"BTCUSD": "BTCUSDT"},
        "coinbase": {"BTCUSD": "BTC-USD"},
        "kraken": {"BTCUSD": "XBTUSD"},
    }


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"exchanges": ("oanda",)}, InvalidSetting),
        ({"exchanges": ("nobody",)}, UnknownProvider),
        ({"exchanges": ("kraken",), "assets": ("NOPE",)}, UnknownAsset),
    ],
)
def test_what_cannot_be_asked_is_refused_at_the_start(
    tmp_path: Path, options: dict[str, object], kind: type[Exception]
) -> None:
    with pytest.raises(kind):
        polled_exchanges(settings_with(tmp_path, {}, **options))
