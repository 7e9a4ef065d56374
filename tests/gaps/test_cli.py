"""What `lakehouse gaps` prints and with which code it ends, on ledgers written by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from lakehouse.cli.commands import application
from lakehouse.errors import InvalidFilter, InvalidWindow, UnknownAsset, UnknownProvider
from lakehouse.settings import Settings, load_settings

from .ledgers import write_ledger

TO = ("--to", "2026-01-05T12:00")
Gaps = Callable[..., Result]


@pytest.fixture
def gaps(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gaps]:
    """`lakehouse gaps` on the lake of `settings`."""
    monkeypatch.setenv("LAKEHOUSE__ROOT", str(settings.lake))
    load_settings.cache_clear()
    yield lambda *arguments: CliRunner().invoke(application(), ["gaps", *arguments])
    load_settings.cache_clear()


def told(result: Result) -> Any:
    assert result.exit_code == 0, result.exception
    return json.loads(result.stdout)


def test_lists_the_gaps_and_sums_up(settings: Settings, gaps: Gaps) -> None:
    write_ledger(settings, "simulated", "####oot#####")
    ran = gaps(*TO)
    assert ran.exit_code == 0
    cells = [[cell.strip() for cell in line.split("│")] for line in ran.stdout.splitlines()]
    rows = [line[1:-1] for line in cells if "BTCUSD" in line]
    start, middle, end = "2026-01-05 04:00", "2026-01-05 06:00", "2026-01-05 07:00"
    assert rows == [
        ["BTCUSD", "1h", "simulated", start, middle, "2", "outage", ""],
        ["BTCUSD", "1h", "simulated", middle, end, "1", "no_trade", ""],
        ["BTCUSD", "1h", "12", "9", "1", "0", "2", "0", "0", "83.33"],
    ]


def test_as_json_each_asset_and_timeframe_has_its_figures_and_its_gaps(
    settings: Settings, gaps: Gaps
) -> None:
    write_ledger(settings, "simulated", "####oo######")
    write_ledger(settings, "simulated", "############", asset_pair="ETHUSD")
    btc, eth = told(gaps(*TO, "--json"))
    assert {name: btc[name] for name in ("asset_pair", "expected", "outage")} == {
        "asset_pair": "BTCUSD",
        "expected": 12,
        "outage": 2,
    }
    assert btc["gaps"] == [
        {
            "provider": "simulated",
            "from": "2026-01-05T04:00:00Z",
            "to": "2026-01-05T06:00:00Z",
            "candles": 2,
            "class": "outage",
            "detail": "",
        }
    ]
    assert (eth["gaps"], eth["coverage_percent"], eth["to"]) == ([], 100, "2026-01-05T12:00:00Z")


def test_a_class_keeps_to_its_gaps_and_leaves_the_figures(settings: Settings, gaps: Gaps) -> None:
    write_ledger(settings, "simulated", "####oot#####")
    (told_of,) = told(gaps(*TO, "--class", "no_trade,rejected", "--json"))
    assert [gap["class"] for gap in told_of["gaps"]] == ["no_trade"]
    assert told_of["outage"] == 2


def test_a_ledger_without_gaps_and_one_without_anything_say_so(
    settings: Settings, gaps: Gaps
) -> None:
    assert "The ledger knows nothing" in gaps().stdout
    assert told(gaps("--json")) == []
    write_ledger(settings, "simulated", "############")
    assert "No gaps." in gaps(*TO).stdout


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("--assets", "NOPE"), UnknownAsset),
        (("--assets", ","), InvalidFilter),
        (("--class", "broken"), InvalidFilter),
        (("--provider", "nobody"), UnknownProvider),
        (("--from", "soon"), InvalidWindow),
        (("--from", "2026-01-06", "--to", "2026-01-05"), InvalidWindow),
    ],
)
def test_wrong_words_are_refused(
    gaps: Gaps, arguments: tuple[str, ...], error: type[Exception]
) -> None:
    assert isinstance(gaps(*arguments).exception, error)


@pytest.mark.parametrize("flag", ["--dry-run", "--no-build"])
def test_flags_of_fill_need_it(gaps: Gaps, flag: str) -> None:
    assert gaps(flag).exit_code == 2


def test_a_dry_run_shows_the_calls_of_each_provider(settings: Settings, gaps: Gaps) -> None:
    write_ledger(settings, "coinbase", "##ooo##rr###")
    write_ledger(settings, "binance", "  t ")
    calls = told(gaps("--fill", "--dry-run", *TO, "--provider", "coinbase", "--json"))
    keys = ("provider", "from", "to", "windows", "calls", "candles")
    assert [tuple(call[key] for key in keys) for call in calls] == [
        ("coinbase", "2026-01-05 03:00", "2026-01-05 05:00", 1, 1, 2),
        ("binance", "2026-01-05 07:00", "2026-01-05 09:00", 1, 1, 2),
    ]
    assert "Would be fetched" in gaps("--fill", "--dry-run", *TO, "--provider", "coinbase").stdout


def test_a_dry_run_of_a_class_keeps_to_it(settings: Settings, gaps: Gaps) -> None:
    write_ledger(settings, "coinbase", "##ooo##rr###")
    flags = ("--fill", "--dry-run", *TO, "--provider", "coinbase", "--json")
    assert [c["provider"] for c in told(gaps(*flags, "--class", "rejected"))] == ["binance"]
    assert told(gaps(*flags, "--class", "no_trade,delisted")) == []


def test_what_nobody_can_give_is_named_and_nobody_is_asked(settings: Settings, gaps: Gaps) -> None:
    write_ledger(settings, "simulated", "dd####rrt###")
    ran = gaps("--fill", *TO)
    assert ran.exit_code == 0
    assert "Nothing to fill" in ran.stdout
    assert "the gate refused it" in ran.stdout
    (told_of,) = told(gaps("--fill", *TO, "--json"))
    assert told_of["filled"] == {}
    assert [(gap["class"], gap["candles"]) for gap in told_of["left"]] == [
        ("delisted", 2),
        ("rejected", 2),
    ]


def test_gaps_of_the_other_kind_of_provider_are_left_with_a_hint(
    settings: Settings, gaps: Gaps
) -> None:
    write_ledger(settings, "binance", "##oo########")
    ran = gaps("--fill", *TO)
    assert ran.exit_code == 1
    assert "only binance was ever asked for it: name it with --provider" in ran.stdout


def test_hours_when_the_market_is_closed_are_not_asked_for(settings: Settings, gaps: Gaps) -> None:
    friday = "#" * (4 * 24 + 20)
    write_ledger(settings, "simulated", friday, asset_pair="EURUSD")
    flags = ("--fill", "--dry-run", "--to", "2026-01-12T02:00", "--json")
    (call,) = told(gaps(*flags))
    assert (call["from"], call["to"]) == ("2026-01-09 20:00", "2026-01-12 02:00")
    assert (call["windows"], call["candles"]) == (2, 6)
