"""What is written of refused rows, and where."""

from __future__ import annotations

import json
import math
import stat
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from lakehouse.dead_letters import list_dead_letters, write_dead_letters
from lakehouse.errors import DeadLetterError
from lakehouse.settings import Settings
from tests.dead_letters.conftest import Judge, on_both
from tests.gate.candles import NOW, START, candle

BAD = {"volume": -1.0}
WORSE = {"volume": -1.0, "open": 111.0}


def good(count: int) -> list[dict[str, Any]]:
    return [candle(minute) for minute in range(100, 100 + count)]


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(), parse_constant=pytest.fail)
    return content


@on_both
def test_a_letter_has_the_rows_the_reasons_and_the_origin(judge: Judge, settings: Settings) -> None:
    (path,) = write_dead_letters(judge([*good(20), candle(1, **BAD)]), settings, NOW)
    assert path.parent == settings.lake / "dlq" / "raw_market_data_1m"
    assert path.name.startswith("dlq_2026-03-03T00-00-30.000000Z_")
    assert len(path.stem.rpartition("_")[2]) == 8
    assert read(path) == {
        "timestamp": "2026-03-03T00:00:30+00:00",
        "error": "volume < 0",
        "context": {
            "asset_pair": "BTCUSD",
            "timeframe": "1m",
            "provider": "simulated",
            "table": "bronze.raw_market_data_1m",
            "batch_id": "batch-1",
            "source": "http://127.0.0.1/klines",
        },
        "records": [
            {
                "asset_pair": "BTCUSD",
                "timestamp": "2026-03-02T00:01:00+00:00",
                "open": 100.0,
                "high": 110.0,
                "low": 90.0,
                "close": 105.0,
                "volume": -1.0,
                "provider": "simulated",
                "timeframe": "1m",
                "batch_id": "batch-1",
                "source": "http://127.0.0.1/klines",
                "raw": [1, "100.0", "110.0"],
                "reason": "volume < 0",
            }
        ],
    }


def test_good_rows_leave_no_letter(judge: Judge, settings: Settings) -> None:
    assert write_dead_letters(judge(good(3)), settings) == []
    assert not (settings.lake / "dlq").exists()


def test_there_is_one_letter_for_each_batch_and_set_of_reasons(
    judge: Judge, settings: Settings
) -> None:
    rows = [
        *good(40),
        *(candle(minute, **BAD) for minute in range(3)),
        candle(4, **WORSE),
        *(candle(60 * n, timeframe="1h", batch_id="batch-2") for n in range(20)),
        candle(0, timeframe="1h", batch_id="batch-2", asset_pair="ETHUSD", **BAD),
    ]
    letters = [read(path) for path in write_dead_letters(judge(rows), settings)]
    assert [
        (letter["context"]["batch_id"], letter["error"], len(letter["records"]))
        for letter in letters
    ] == [
        ("batch-1", "open > high; volume < 0", 1),
        ("batch-1", "volume < 0", 3),
        ("batch-2", "volume < 0", 1),
    ]
    assert letters[2]["context"]["asset_pair"] is None  # the batch has two
    assert len(list(settings.lake.glob("dlq/raw_market_data_1h/*"))) == 1


@on_both
def test_a_quarantined_batch_is_in_letters_as_a_whole(judge: Judge, settings: Settings) -> None:
    rows = [*good(2), *(candle(hour, **BAD) for hour in (11, 12, 13))]
    letters = [read(path) for path in write_dead_letters(judge(rows), settings)]
    assert {letter["error"]: len(letter["records"]) for letter in letters} == {
        "its batch was quarantined": 2,
        "volume < 0": 3,
    }


@on_both
def test_numbers_that_json_does_not_have_are_texts(judge: Judge, settings: Settings) -> None:
    odd = candle(0, open=math.nan, high=math.inf, low=-math.inf, volume=None, raw="no, not JSON")
    (path,) = write_dead_letters(judge([*good(20), odd]), settings)
    (record,) = read(path)["records"]
    assert (record["open"], record["high"], record["low"]) == ("NaN", "Infinity", "-Infinity")
    assert (record["volume"], record["raw"]) == (None, "no, not JSON")


def test_the_same_batch_again_replaces_its_letters(judge: Judge, settings: Settings) -> None:
    judged = judge([*good(20), candle(1, **BAD)])
    first = write_dead_letters(judged, settings, NOW)
    again = write_dead_letters(judged, settings, NOW + timedelta(hours=1))
    assert first == again
    assert len(list_dead_letters(settings.lake)[0]) == 1


def test_another_batch_with_the_same_reason_has_a_letter_of_its_own(
    judge: Judge, settings: Settings
) -> None:
    for batch in ("batch-1", "batch-2"):
        rows = [*good(20), candle(1, **BAD)]
        judged = judge([row | {"batch_id": batch} for row in rows])
        write_dead_letters(judged, settings, NOW)
    assert len(list_dead_letters(settings.lake)[0]) == 2


def test_a_thousand_rows_fit_in_a_letter(judge: Judge, settings: Settings) -> None:
    (path,) = write_dead_letters(judge([candle(n, **BAD) for n in range(1_000)]), settings)
    assert len(path.read_text().splitlines()) == 1_002
    (letter,) = list_dead_letters(settings.lake)[0]
    assert letter.records == len(list(letter.read_records())) == 1_000


def test_a_folder_that_cannot_be_written_is_named(judge: Judge, settings: Settings) -> None:
    # A file where the folder should be: it stops even a user whom permissions do not.
    settings.lake.mkdir()
    (settings.lake / "dlq").write_text("in the way")
    with pytest.raises(DeadLetterError, match="cannot be written") as caught:
        write_dead_letters(judge([*good(20), candle(1, **BAD)]), settings)
    assert str(settings.lake / "dlq") in str(caught.value)


def test_a_letter_whose_writing_fails_leaves_nothing_behind(
    judge: Judge, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lakehouse.dead_letters.letter.os.fsync", full)
    with pytest.raises(DeadLetterError, match="No space left on device"):
        write_dead_letters(judge([*good(20), candle(1, **BAD)]), settings)
    assert [path for path in settings.lake.rglob("*") if path.is_file()] == []


def test_secrets_of_the_settings_are_in_no_letter(judge: Judge, settings: Settings) -> None:
    secret = "top/secret"  # noqa: S105 - made up
    provider = settings.providers["alpha_vantage"]
    known = provider.model_copy(update={"api_key": SecretStr(secret)})
    guarded = settings.model_copy(
        update={"providers": {**settings.providers, "alpha_vantage": known}}
    )
    leaking = {
        "source": "https://www.alphavantage.co/query?apikey=top%2Fsecret",
        "raw": '{"Note":"your key top/secret is over its limit"}',
    }
    (path,) = write_dead_letters(judge([*good(20), candle(1, **BAD, **leaking)]), guarded)
    text = path.read_text()
    assert secret not in text
    assert "top%2Fsecret" not in text
    assert read(path)["context"]["source"] == "https://www.alphavantage.co/query?apikey=***"


def test_letters_are_readable_for_others_as_other_files_are(
    judge: Judge, settings: Settings
) -> None:
    (path,) = write_dead_letters(judge([*good(20), candle(1, **BAD)]), settings)
    (settings.lake / "usual").touch()
    usual = stat.S_IMODE((settings.lake / "usual").stat().st_mode)
    assert stat.S_IMODE(path.stat().st_mode) == usual


@on_both
def test_times_before_1970_are_written_as_they_are(judge: Judge, settings: Settings) -> None:
    old = candle(0, timestamp=START.replace(year=1960, microsecond=1))
    (path,) = write_dead_letters(judge([*good(20), old]), settings)
    assert read(path)["records"][0]["timestamp"] == "1960-03-02T00:00:00.000001+00:00"
