"""The producers as background processes of the lake."""

from __future__ import annotations

import hashlib
import sys

from lakehouse.producers.running import Stream
from lakehouse.services import Service
from lakehouse.settings import Settings

SECRETS = {"sasl_password", "ssl_key_password"}


def producer_service(settings: Settings, stream: Stream) -> Service:
    """How the producer of a stream is started; its kind changes with its settings.

    Secrets reach it as they reached this process: through the environment.
    """
    streams = settings.streams
    options = streams.trade_feed if stream == "trades" else streams.ticker_poll

    def command(port: int) -> list[str]:
        module = [sys.executable, "-m", "lakehouse.producers"]
        return [*module, stream, "--metrics-port", str(port)]

    environment = {
        "LAKEHOUSE__ROOT": str(settings.lake),
        "LAKEHOUSE__KAFKA": settings.kafka.model_dump_json(exclude=SECRETS),
        "LAKEHOUSE__STREAMS": streams.model_dump_json(exclude={"trade_feed": {"token"}}),
        "LAKEHOUSE__SIMULATED": settings.simulated.model_dump_json(),
    }
    return Service(
        f"{stream}-producer",
        _kind(settings),
        settings.lake,
        command,
        environment,
        port=options.metrics_port,
    )


def _kind(settings: Settings) -> str:
    held = (settings.streams.trade_feed.token, settings.kafka.sasl_password)
    secrets = [secret.get_secret_value() for secret in held if secret]
    shown = (settings.streams, settings.kafka, settings.simulated)
    providers = (settings.providers, settings.assets)
    return hashlib.sha256(repr((shown, providers, secrets)).encode()).hexdigest()[:12]
