from pathlib import Path

import pytest

from lakehouse.errors import InvalidSetting, UnknownAsset, UnknownProvider
from lakehouse.places import PROJECT
from lakehouse.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def fresh():
    load_settings.cache_clear()
    yield
    load_settings.cache_clear()


def test_the_environment_overrides_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE__PROVIDERS__BINANCE__BASE_URL", "http://127.0.0.1:9/x")
    monkeypatch.setenv("LAKEHOUSE__ASSETS__BTCUSD__MAX_PRICE", "5")
    settings = load_settings()
    assert str(settings.providers["binance"].base_url) == "http://127.0.0.1:9/x"
    assert settings.providers["kraken"].dialect == "kraken"
    assert (settings.assets["BTCUSD"].max_price, settings.assets["BTCUSD"].base) == (5, "BTC")


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("LAKEHOUSE__ENGINE", "duckdb", "engine"),
        ("LAKEHOUSE__BACKFILL__DAYS", "-1", "backfill.days"),
        ("LAKEHOUSE__PROVIDERS__KRAKEN__BASE_URL", "not a url", "providers.kraken.base_url"),
        ("LAKEHOUSE__BACKFILL__TIMEFRAMES", '["2m"]', "backfill.timeframes"),
        ("LAKEHOUSE__TOLERANCE", "7", "tolerance"),
    ],
)
def test_a_wrong_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, named: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(InvalidSetting, match=named) as caught:
        load_settings()
    assert caught.value.exit_code == 2


def test_batches_run_on_sail_unless_another_engine_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("LAKEHOUSE__ENGINE", raising=False)
    assert load_settings().engine == Settings.model_fields["engine"].default == "sail"
    monkeypatch.setenv("LAKEHOUSE__ENGINE", "spark")
    load_settings.cache_clear()
    assert load_settings().engine == "spark"


def test_a_secret_in_the_file_is_refused_without_repeating_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "lakehouse.yml"
    text = (PROJECT / "conf" / "lakehouse.yml").read_text()
    file.write_text(text.replace("{dialect: oanda,", "{dialect: oanda, token: hush,"))
    monkeypatch.setenv("LAKEHOUSE_CONFIG", str(file))
    with pytest.raises(InvalidSetting, match="environment only") as caught:
        load_settings()
    assert "hush" not in str(caught.value)


def test_a_secret_of_the_environment_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE__PROVIDERS__OANDA__TOKEN", "hush")
    settings = load_settings()
    assert "hush" not in repr(settings)
    assert settings.providers["oanda"].token.get_secret_value() == "hush"


def test_unknown_names_are_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownAsset, match="BTCUSD, ETHUSD"):
        load_settings().asset("DOGE")
    with pytest.raises(UnknownProvider, match="simulated, binance"):
        load_settings().provider_named("nyse")
