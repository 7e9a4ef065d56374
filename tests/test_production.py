"""The environment files for Airflow name settings that Airflow has, and hold no secret."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from dotenv import dotenv_values

from lakehouse.places import PROJECT
from lakehouse.settings import Settings

FOLDER = PROJECT / "conf" / "airflow"
FILES = [FOLDER / "local.env", FOLDER / "production.env"]
# Settings of providers, which are installed in production only.
OF_PROVIDERS = {"kubernetes_executor", "celery"}


def known_settings() -> set[tuple[str, str]]:
    import airflow

    schema = Path(airflow.__file__).parent / "config_templates" / "config.yml"
    return {
        (section, option)
        for section, content in yaml.safe_load(schema.read_text()).items()
        for option in content["options"]
    }


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_setting_of_airflow_exists(file: Path) -> None:
    known = known_settings()
    named = [name for name in dotenv_values(file) if name.startswith("AIRFLOW__")]
    assert len(named) >= 10
    for name in named:
        _, section, option = name.lower().split("__")
        option = option.removesuffix("_cmd")
        # A part of Airflow may have its own value of what they all have.
        places = {(section, option), ("core", option)}
        assert places & known or section in OF_PROVIDERS, name


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_setting_of_the_lakehouse_exists(file: Path) -> None:
    for name in dotenv_values(file):
        if name.startswith("LAKEHOUSE__"):
            assert name.split("__")[1].lower() in Settings.model_fields, name


def test_the_lakehouse_takes_the_production_set_with_its_secrets_added(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secrets = ("LAKEHOUSE__AIRFLOW__ALERTS__WEBHOOK_URL", "LAKEHOUSE__KAFKA__SASL_PASSWORD")
    given = {**dotenv_values(FOLDER / "production.env"), **dict.fromkeys(secrets, "hidden")}
    for name, value in given.items():
        if name.startswith("LAKEHOUSE__"):
            monkeypatch.setenv(name, value or "")
    settings = Settings()
    assert settings.kafka.profile == "production"
    assert settings.streams.watched == ()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_no_secret_is_in_the_file(file: Path) -> None:
    for name, value in dotenv_values(file).items():
        is_secret = any(word in name for word in ("KEY", "SECRET_", "PASSWORD", "ALCHEMY_CONN_"))
        if is_secret and "CONNECT_ARGS" not in name:
            assert name.endswith("_CMD"), name
        assert "://" not in (value or "") or "<" in (value or ""), name
