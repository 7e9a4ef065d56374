"""Trades from a real topic into bronze and silver, by Spark's own streaming."""

from __future__ import annotations

import json
import random
import shutil
from datetime import timedelta

import polars as pl
import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from lakehouse.dead_letters.letter import write_letter
from lakehouse.delta import ensure_table
from lakehouse.engine import register_tables
from lakehouse.outcomes import Recorder
from lakehouse.pipeline import replay_dead_letters
from lakehouse.streams.aggregates import bring_in_late
from lakehouse.streams.audit import audit
from lakehouse.streams.upkeep import Upkeep
from tests.conftest import forget_tables, settings_for
from tests.streams.brute_force import candles_by_hand
from tests.streams.conftest import START, Streamed, streamed, trade

# What it is, what the message says, and what must be said of it.
POISON = [
    ("not JSON", b"{'symbol': ", "message is not JSON"),
    (
        "wrong types",
        json.dumps(trade(0, "a lot", volume=[1], timestamp="noon")).encode(),
        "timestamp is not a time; price is not a number; volume is not a number",
    ),
    (
        "missing fields",
        json.dumps(trade(0, ..., symbol=...)).encode(),
        "symbol is missing; price is missing",
    ),
    ("negative price", json.dumps(trade(0, -1.0)).encode(), "price <= 0"),
    ("zero volume", json.dumps(trade(0, volume=0)).encode(), "volume <= 0"),
    (
        "absurd time",
        json.dumps(trade(0, timestamp=4_102_444_800_000)).encode(),
        "timestamp in the future",
    ),
    ("empty", b"", "message is empty"),
    (
        "1 MB",
        json.dumps(trade(0, conditions=["x" * 1_000_000])).encode(),
        "message is larger than 64 kB",
    ),
]


def many(count: int) -> list[dict[str, object]]:
    """Trades of two symbols over ten minutes, some at the same time."""
    chance = random.Random(1)  # noqa: S311 - data, not secrets
    return [
        trade(
            number * 600 // count,
            round(chance.uniform(99, 101), 2),
            symbol=chance.choice(["AAPL", "BINANCE:BTCUSDT"]),
            volume=chance.randint(1, 1000) / 256,
        )
        for number in range(count)
    ]


# What each test below looks at: a symbol of its own, its trades in a first and a second batch.
FIRST = {
    "PARTS": [trade(n, 100 + n % 7, symbol="PARTS") for n in range(0, 300, 2)],
    "AGAIN": [trade(n, 10 + n, symbol="AGAIN") for n in (*range(9), *range(5, 9))],
    "TIES": [trade(5, price, symbol="TIES") for price in (10.0, 12.0, 11.0)],
    "LATE": [trade(60 * n, 100.0 + n, symbol="LATE") for n in range(30)],
    "FAR": [trade(n, 100.0 + n % 3, symbol="FAR") for n in range(60)],
    "OLD": [trade(-365 * 86_400, symbol="OLD"), trade(0, symbol="OLD")],
}
SECOND = {
    "PARTS": [trade(n, 100 + n % 7, symbol="PARTS") for n in range(1, 300, 2)],
    "AGAIN": [trade(n, 10 + n, symbol="AGAIN") for n in range(10)],
    "TIES": [trade(5, 9.0, symbol="TIES")],
    "LATE": [trade(60 * 25 + 1, 90.0, symbol="LATE"), trade(60 * 3 + 1, 80.0, symbol="LATE")],
    "FAR": [trade(61, 101.5, symbol="FAR"), trade(62, 150.0, symbol="FAR")],
    "OLD": [trade(-365 * 86_400, symbol="OLD"), trade(700, symbol="OLD")],
}


@pytest.fixture(scope="module")
def landed(spark: SparkSession, servers: str, tmp_path_factory: pytest.TempPathFactory) -> Streamed:
    """A lake in which both batches were landed, poison among them, the first compacted."""
    settings = settings_for(tmp_path_factory.mktemp("landed") / "lake")
    forget_tables(spark)
    register_tables(spark, settings)
    found = streamed(spark, settings, servers, "trades")
    for batch, poison in ((FIRST, POISON[:4]), (SECOND, POISON[4:])):
        for messages in batch.values():
            found.send(*messages)
        found.send(trade(1, symbol="TWICE"))
        found.send(trade(1, symbol="TWICE"), occurrence=1)
        found.send(*(value for _, value, _ in poison))
        found.land()
        Upkeep(found.settings, found.stream).compact()
    return found


def of(landed: Streamed, symbol: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The symbol's rows of bronze and of silver."""
    return landed.bronze.filter(symbol=symbol), landed.silver.filter(symbol=symbol)


def test_a_row_says_where_its_trade_came_from(landed: Streamed) -> None:
    bronze, _ = of(landed, "PARTS")
    assert len(bronze) == 300
    first = bronze.row(0, named=True)
    place = {"topic": landed.topic, "partition": 0, "offset": 0, "timestamp": START}
    assert {name: first[name] for name in place} == place
    assert first["processed_at"] == START + timedelta(minutes=30, milliseconds=250)
    parts = [first[f"trade_{part}"] for part in ("year", "month", "day", "hour")]
    assert parts == [2026, 3, 2, 12]


def test_a_trade_that_was_sent_again_is_one_trade(landed: Streamed) -> None:
    bronze, silver = of(landed, "AGAIN")
    assert bronze["price"].to_list() == [10.0 + n for n in range(10)]
    assert silver["trade_count"].to_list() == [10]
    # Sent again within a batch, in another batch, and the trades of TWICE and OLD.
    assert landed.counted()["duplicate"] == 4 + 9 + 2 + 1


def test_two_equal_trades_of_one_message_are_two(landed: Streamed) -> None:
    bronze, silver = of(landed, "TWICE")
    assert bronze["occurrence"].to_list() == [0, 1]
    assert silver["trade_count"].to_list() == [2]


def test_of_trades_at_one_time_the_offset_says_which_came_first(landed: Streamed) -> None:
    _, silver = of(landed, "TIES")
    candle = silver.row(0, named=True)
    assert [candle[name] for name in ("open", "high", "low", "close")] == [10.0, 12.0, 9.0, 9.0]


def test_a_price_far_from_the_recent_ones_is_flagged_and_kept(landed: Streamed) -> None:
    bronze, silver = of(landed, "FAR")
    assert bronze.filter("is_outlier")["price"].to_list() == [150.0]
    assert silver["outlier_count"].to_list() == [0, 1]


def test_a_year_old_trade_is_told_from_those_between(landed: Streamed) -> None:
    bronze, _ = of(landed, "OLD")
    assert len(bronze) == 3


def test_every_kind_of_poison_is_named_and_touches_nothing_else(landed: Streamed) -> None:
    found = {letter.error: letter for letter in landed.letters}
    assert sorted(found) == sorted(reason for _, _, reason in POISON)
    for _, value, reason in POISON:
        (record,) = found[reason].read_records()
        assert record["topic"] == landed.topic
        assert record["offset"] not in landed.bronze["offset"].to_list()
        assert as_text(record["raw"]) == value.decode()
    counted = landed.counted()
    assert counted["rejected"] == len(POISON)
    assert counted["in"] == counted["out"] + counted["rejected"] + counted["duplicate"]


def as_text(raw: object) -> object:
    return json.dumps(raw) if isinstance(raw, dict) else raw


def test_a_late_trade_corrects_its_minute_and_one_that_is_too_late_waits_for_the_batch_job(
    landed: Streamed,
) -> None:
    bronze, silver = of(landed, "LATE")
    assert bronze.filter("is_late")["price"].to_list() == [80.0]
    assert silver["low"][25] == 90.0
    assert silver["low"][3] == 103.0
    bring_in_late(landed.settings)
    assert bring_in_late(landed.settings) == 0
    assert of(landed, "LATE")[1]["low"][3] == 80.0
    assert candles_by_hand(landed.bronze, landed.silver) == []


def test_the_gate_of_silver_lets_good_candles_stay_and_refuses_a_wrong_one(
    landed: Streamed,
) -> None:
    recorder = Recorder(landed.settings, "audit-1")
    gated = audit(landed.session, landed.settings, recorder)
    assert (gated.rows, gated.rejected) == (len(landed.silver), 0)
    silver = DeltaTable(str(landed.stream.silver.path(landed.settings.lake)))
    # Nothing that the library computes is so; only somebody's hand makes it.
    now = {"low": "high + 1", "updated_at": "now()"}
    silver.update(predicate="symbol = 'TIES'", updates=now)
    recorder = Recorder(landed.settings, "audit-2")
    gated = audit(landed.session, landed.settings, recorder)
    assert (gated.rows, gated.rejected) == (1, 1)
    assert of(landed, "TIES")[1].is_empty()
    assert "high < low" in {letter.error for letter in landed.letters}


def test_what_was_cleaned_from_the_log_is_made_up_for_from_all_of_bronze(landed: Streamed) -> None:
    log = landed.stream.bronze.path(landed.settings.lake) / "_delta_log"
    DeltaTable(str(log.parent)).create_checkpoint()
    shutil.rmtree(landed.stream.silver.path(landed.settings.lake))
    ensure_table(landed.session, landed.settings, landed.stream.silver)
    (log / f"{1:020d}.json").unlink()
    bring_in_late(landed.settings)
    assert candles_by_hand(landed.bronze, landed.silver) == []


def test_poison_that_was_mended_is_landed_once(trades: Streamed) -> None:
    trades.send(*many(50), POISON[3][1], POISON[2][1], POISON[0][1])
    trades.land()
    for letter in trades.letters:
        records = [
            {**record, "price": 100.5, "symbol": "AAPL", "volume": 1.0, "timestamp": mended(n)}
            for n, record in enumerate(letter.read_records())
            if record["raw"] != "{'symbol': "
        ]
        if records:
            head = {"timestamp": letter.timestamp.isoformat(), "error": letter.error}
            write_letter(letter.path, {**head, "context": dict(letter.context)}, records)
    letters = trades.letters
    done = replay_dead_letters(trades.settings, letters, with_build=False)
    assert (done.passed, done.failed) == (2, 1)
    replay_dead_letters(trades.settings, [letter for letter in letters if letter.path.exists()])
    assert len(trades.bronze) == 51  # the two said the same after their mending
    assert candles_by_hand(trades.bronze, trades.silver) == []


def mended(number: int) -> str:
    return (START + timedelta(seconds=number)).isoformat()


def test_a_lost_checkpoint_neither_loses_nor_doubles(trades: Streamed) -> None:
    messages = many(300)
    trades.send(*messages[:200])
    trades.land()
    shutil.rmtree(trades.stream.home(trades.settings))
    trades.send(*messages[200:])
    trades.land()
    assert trades.counted()["in"] == 300  # it went on where the record of the batches ended
    shutil.rmtree(trades.stream.home(trades.settings))
    shutil.rmtree(trades.settings.lake / "ops" / "stream_batches")
    trades.land()
    assert trades.counted()["duplicate"] == 300
    assert len(trades.bronze) == 300
    assert candles_by_hand(trades.bronze, trades.silver) == []


def test_quiet_minutes_are_filled_where_that_is_wanted(trades: Streamed) -> None:
    filling = trades.changed(impute_quiet_minutes=True)
    late = {"A": 2, "B": 6}
    for symbol in late:
        prices = {0: 10.0, 4: 12.0, 8: 14.0}
        filling.send(*(trade(60 * n, price, symbol=symbol) for n, price in prices.items()))
    filling.land()
    assert filling.silver["is_imputed"].sum() == 12
    for symbol, minute in late.items():
        filling.send(trade(60 * minute + 30, 11.0, symbol=symbol))
    filling.land()
    closes = {"A": [10, 10, 11, 11, 12, 12, 12, 12, 14], "B": [10, 10, 10, 10, 12, 12, 11, 11, 14]}
    for symbol in late:
        silver = of(filling, symbol)[1]
        assert silver["close"].to_list() == closes[symbol]
        flat = silver.filter("is_imputed")
        assert (flat["volume"].sum(), flat["trade_count"].sum()) == (0, 0)
    assert candles_by_hand(filling.bronze, filling.silver) == []
