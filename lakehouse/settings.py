"""Settings: conf/lakehouse.yml, overridden by LAKEHOUSE__… environment variables."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    YamlConfigSettingsSource,
)

from lakehouse.errors import InvalidSetting, UnknownAsset, UnknownProvider
from lakehouse.places import PROJECT, config_file
from lakehouse.yaml_files import read_yaml

Dialect = Literal["binance", "coinbase", "kraken", "alpha_vantage", "oanda"]
TimeframeName = Literal["1m", "5m", "15m", "1h", "4h", "1d"]
SECRET_FIELDS = {"api_key", "token", "webhook_url", "sasl_password", "ssl_key_password"}


class Asset(BaseModel):
    """A pair that may be landed; `symbols` names it where a provider's own rule does not fit.

    `calendar` says when its market is open: 24/7, 24/5, or an exchange such as XNYS.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: str
    quote: str
    symbols: dict[str, str] = {}
    min_price: float = Field(default=0.0001, ge=0)
    max_price: float = Field(default=1_000_000, gt=0)
    calendar: str = "24/7"


class Provider(BaseModel):
    """Where a provider answers, in which dialect, and how gently it wants to be asked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dialect: Dialect
    base_url: HttpUrl | None = None
    calls_per_minute: int | None = Field(default=None, gt=0)
    timeout_seconds: float = Field(default=10, gt=0)
    attempts: int = Field(default=3, ge=1)
    backoff_seconds: float = Field(default=0.5, ge=0)
    break_after_failures: int = Field(default=5, ge=1)
    break_seconds: float = Field(default=30, ge=0)
    api_key: SecretStr | None = None
    token: SecretStr | None = None


class SparkOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    driver_memory: str = Field(default="3g", pattern=r"^\d+[kmg]$")
    cores: int = Field(default=2, gt=0)


class BackfillDefaults(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    timeframes: tuple[TimeframeName, ...] = ("1m", "5m", "15m", "1h", "4h", "1d")
    days: int = Field(default=7, gt=0)
    window: str = "1d"
    concurrency: int = Field(default=4, gt=0, le=64)


class BuildOptions(BaseModel):
    """How much a build takes in at a time: more needs more memory, less needs more steps.

    None: as much as the engine takes in a few gigabytes; see lakehouse/builds/slices.py.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    slice_candles: int | None = Field(default=None, gt=0)


class GapOptions(BaseModel):
    """When a quiet source counts as one that has nothing: after so long without a candle."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    delisted_after_hours: float = Field(default=24, gt=0)


class ReleaseOptions(BaseModel):
    """Which releases of builds are kept: the newest ones, and those young enough.

    `read` is the release that reads of silver and gold mean when they name none; None: the tables
    as they are now.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    keep: int = Field(default=30, ge=1)
    keep_days: float = Field(default=30, ge=0)
    read: str | None = None


class BackupOptions(BaseModel):
    """Where backups go; None: beside the lake."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Path | None = None


class Alerts(BaseModel):
    """Who is told of a failed task and of a run that is late, besides the log."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    notifier: Literal["log", "webhook", "email"] = "log"
    webhook_url: SecretStr | None = None
    email_to: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _is_complete(self) -> Alerts:
        if self.notifier == "webhook" and not self.webhook_url:
            raise ValueError("notifier webhook needs webhook_url, from the environment")
        if self.notifier == "email" and not self.email_to:
            raise ValueError("notifier email needs email_to")
        return self


class AirflowOptions(BaseModel):
    """How the DAGs behave, and where `lakehouse up` lets Airflow listen."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    port: int = Field(default=8080, ge=0, le=65535)
    tasks_at_a_time: int = Field(default=2, gt=0)
    assets: tuple[str, ...] = ("BTCUSD", "ETHUSD")
    retry_seconds: float = Field(default=300, ge=0)
    deadline_minutes: float = Field(default=120, gt=0)
    alerts: Alerts = Alerts()


class Topic(BaseModel):
    """A Kafka topic as it is created, and as it must be found."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    partitions: int = Field(default=2, gt=0)
    retention_hours: float = Field(default=168, gt=0)
    compression: Literal["snappy", "lz4", "zstd", "gzip", "none"] = "snappy"


class KafkaOptions(BaseModel):
    """The broker: an embedded one unless `bootstrap_servers` names another.

    The security settings go to every client as they are. `profile` decides how many copies a topic
    has: one where the broker is embedded, three of which two must be in sync in production.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    bootstrap_servers: str | None = None
    port: int = Field(default=9092, ge=0, le=65535)
    heap: str = Field(default="512m", pattern=r"^\d+[kmg]$")
    profile: Literal["embedded", "production"] = "embedded"
    trades: Topic = Topic(name="stock-trades")
    prices: Topic = Topic(name="sentinance.prices")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    ssl_ca_location: Path | None = None
    ssl_certificate_location: Path | None = None
    ssl_key_location: Path | None = None
    ssl_key_password: SecretStr | None = None


class TradeFeed(BaseModel):
    """The websocket that trades come from: Finnhub's, or the simulated exchange's without a URL."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str | None = None
    token: SecretStr | None = None
    symbols: tuple[str, ...] = ("BINANCE:BTCUSDT", "BINANCE:ETHUSDT")
    backoff_seconds: float = Field(default=0.5, gt=0)
    longest_backoff_seconds: float = Field(default=30, gt=0)
    silence_seconds: float = Field(default=60, gt=0)
    metrics_port: int = Field(default=8000, ge=0, le=65535)


class TickerPoll(BaseModel):
    """Which tickers are asked for, of whom and how often.

    `exchanges` are providers whose dialect has tickers; `simulated` means the embedded exchange in
    each of the three dialects.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    exchanges: tuple[str, ...] = ("simulated",)
    assets: tuple[str, ...] = ("BTCUSD", "ETHUSD")
    every_seconds: float = Field(default=5, gt=0)
    metrics_port: int = Field(default=8001, ge=0, le=65535)


class StreamOptions(BaseModel):
    """How the streams from Kafka into the lake run; `watched` are kept alive by Airflow."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    watched: tuple[Literal["trades", "prices"], ...] = ()
    batch_seconds: float = Field(default=5, ge=1)
    batch_messages: int = Field(default=500_000, gt=0)
    watermark_minutes: float = Field(default=10, ge=0)
    outlier_sigmas: float = Field(default=3, gt=0)
    outlier_minutes: int = Field(default=10, gt=0)
    impute_quiet_minutes: bool = False
    compact_every_minutes: float = Field(default=10, gt=0)
    metrics_port: int = Field(default=8002, ge=0, le=65535)
    trade_feed: TradeFeed = TradeFeed()
    ticker_poll: TickerPoll = TickerPoll()


class SimulatedExchange(BaseModel):
    """Faults the embedded exchange plays on request: shares of answers or of candles, 0 to 1.

    Its trade feed sends `trades_per_second`, or plays a recording; see simulated/trade_feed.py.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = 7
    trades_per_second: float = Field(default=20, ge=0, le=100_000)
    recording: Path | None = None
    malformed_frames: float = Field(default=0, ge=0, le=1)
    bad_trades: float = Field(default=0, ge=0, le=1)
    disconnect_seconds: float = Field(default=0, ge=0)
    resend_seconds: float = Field(default=0, ge=0)
    server_errors: float = Field(default=0, ge=0, le=1)
    rate_limits: float = Field(default=0, ge=0, le=1)
    slow_answers: float = Field(default=0, ge=0, le=1)
    malformed_json: float = Field(default=0, ge=0, le=1)
    corrupted_candles: float = Field(default=0, ge=0, le=1)


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="LAKEHOUSE__", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    root: Path
    engine: Literal["spark", "sail"] = "sail"
    fork_server: bool = True
    spark: SparkOptions = SparkOptions()
    backfill: BackfillDefaults = BackfillDefaults()
    build: BuildOptions = BuildOptions()
    gaps: GapOptions = GapOptions()
    releases: ReleaseOptions = ReleaseOptions()
    backup: BackupOptions = BackupOptions()
    airflow: AirflowOptions = AirflowOptions()
    kafka: KafkaOptions = KafkaOptions()
    streams: StreamOptions = StreamOptions()
    simulated: SimulatedExchange = SimulatedExchange()
    provider_preference: tuple[str, ...]
    provider: str = "simulated"
    fallback: bool = True
    providers: dict[str, Provider]
    assets: dict[str, Asset]
    retention_hours: float = Field(default=720, ge=0)
    tolerance: float = Field(default=0.10, ge=0, le=1)
    data_docs: bool = True
    quarantine_from_rows: int = Field(default=3, ge=1)

    @field_validator("assets", mode="before")
    @classmethod
    def _fold_case(cls, assets: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        # Environment variables arrive in lower case; the file's entry and theirs are one asset.
        folded: dict[str, dict[str, Any]] = {}
        for name, entry in assets.items():
            folded.setdefault(name.upper(), {}).update(entry)
        return folded

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        file = YamlConfigSettingsSource(settings_cls, yaml_file=config_file())
        return init_settings, env_settings, file

    def asset(self, asset_pair: str) -> Asset:
        """The asset's entry. Raises UnknownAsset."""
        try:
            return self.assets[asset_pair]
        except KeyError:
            raise UnknownAsset(
                asset_pair=asset_pair, known=", ".join(self.assets), where=config_file()
            ) from None

    def provider_named(self, name: str) -> Provider:
        """The provider's entry. Raises UnknownProvider."""
        try:
            return self.providers[name]
        except KeyError:
            raise UnknownProvider(provider=name, known=", ".join(self.providers)) from None

    @property
    def lake(self) -> Path:
        """The lake directory, absolute."""
        return self.root if self.root.is_absolute() else PROJECT / self.root


@lru_cache
def load_settings() -> Settings:
    """The settings of this process. Raises InvalidSetting, naming the first wrong one."""
    _refuse_secrets_in_file()
    _refuse_unknown_variables()
    try:
        return Settings()
    except ValidationError as error:
        raise _invalid(error) from None


def _invalid(error: ValidationError) -> InvalidSetting:
    first = error.errors(include_url=False, include_input=False)[0]
    path = [str(part) for part in first["loc"]]
    variable = "LAKEHOUSE__" + "__".join(part.upper() for part in path)
    where = f"the environment ({variable})" if variable in os.environ else str(config_file())
    return InvalidSetting(name=".".join(path), problem=first["msg"], where=where)


def _refuse_secrets_in_file() -> None:
    try:
        content: Any = read_yaml(config_file())
    except (OSError, yaml.YAMLError) as error:
        problem = f"the file cannot be read: {error}"
        raise InvalidSetting(name="(file)", problem=problem, where=config_file()) from None
    for path in _secrets_in(content or {}):
        raise InvalidSetting(
            name=".".join(path),
            problem="secrets come from the environment only",
            where=f"the environment (LAKEHOUSE__{'__'.join(path).upper()})",
        )


def _secrets_in(content: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, value in content.items() if isinstance(content, dict) else ():
        if name in SECRET_FIELDS:
            yield (*path, name)
        yield from _secrets_in(value, (*path, name))


def _refuse_unknown_variables() -> None:
    # Pydantic passes over a variable whose first part is no setting, and with it over its typo.
    for variable in os.environ:
        name = variable.removeprefix("LAKEHOUSE__").lower()
        if variable.startswith("LAKEHOUSE__") and name.split("__")[0] not in Settings.model_fields:
            problem = "there is no such setting"
            where = f"the environment ({variable})"
            raise InvalidSetting(name=name.replace("__", "."), problem=problem, where=where)
