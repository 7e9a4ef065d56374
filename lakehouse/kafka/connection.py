"""How clients reach the broker: confluent-kafka's and Spark's, in the words of each."""

from __future__ import annotations

from pathlib import Path

from lakehouse import services
from lakehouse.kafka.broker import NAME, ensure_broker
from lakehouse.settings import KafkaOptions, Settings


def bootstrap_servers(settings: Settings) -> str:
    """Where the broker is; the embedded one is started if need be. Raises BrokerStartFailed."""
    named = settings.kafka.bootstrap_servers
    return named or f"127.0.0.1:{ensure_broker(settings).port}"


def known_servers(settings: Settings) -> str | None:
    """Where the broker is, if there is one; none is started."""
    running = services.find(settings.lake, NAME)
    return settings.kafka.bootstrap_servers or (f"127.0.0.1:{running.port}" if running else None)


def client_config(settings: Settings) -> dict[str, str]:
    """The configuration that every confluent-kafka client begins with."""
    return {"bootstrap.servers": bootstrap_servers(settings), **security(settings.kafka)}


def spark_options(settings: Settings) -> dict[str, str]:
    """Options of Spark's Kafka source."""
    return {"kafka.bootstrap.servers": bootstrap_servers(settings), **_jvm_security(settings.kafka)}


def security(kafka: KafkaOptions) -> dict[str, str]:
    """The security settings as confluent-kafka calls them."""
    password, key_password = kafka.sasl_password, kafka.ssl_key_password
    given = {
        "security.protocol": kafka.security_protocol,
        "sasl.mechanism": kafka.sasl_mechanism,
        "sasl.username": kafka.sasl_username,
        "sasl.password": password.get_secret_value() if password else None,
        "ssl.ca.location": kafka.ssl_ca_location,
        "ssl.certificate.location": kafka.ssl_certificate_location,
        "ssl.key.location": kafka.ssl_key_location,
        "ssl.key.password": key_password.get_secret_value() if key_password else None,
    }
    return {name: str(value) for name, value in given.items() if value is not None}


def _jvm_security(kafka: KafkaOptions) -> dict[str, str]:
    """The same for the JVM's client, which wants certificate and key as PEM texts."""
    key_password = kafka.ssl_key_password
    given = {
        "security.protocol": kafka.security_protocol,
        "sasl.mechanism": kafka.sasl_mechanism,
        "sasl.jaas.config": _jaas(kafka),
        "ssl.truststore.type": "PEM" if kafka.ssl_ca_location else None,
        "ssl.truststore.location": kafka.ssl_ca_location,
        "ssl.keystore.type": "PEM" if kafka.ssl_certificate_location else None,
        "ssl.keystore.certificate.chain": _text(kafka.ssl_certificate_location),
        "ssl.keystore.key": _text(kafka.ssl_key_location),
        "ssl.key.password": key_password.get_secret_value() if key_password else None,
    }
    return {f"kafka.{name}": str(value) for name, value in given.items() if value is not None}


def _text(path: Path | None) -> str | None:
    return path.read_text() if path else None


def _jaas(kafka: KafkaOptions) -> str | None:
    if not (kafka.sasl_mechanism and kafka.sasl_username and kafka.sasl_password):
        return None
    module = "plain.Plain" if kafka.sasl_mechanism == "PLAIN" else "scram.Scram"
    secret = kafka.sasl_password.get_secret_value().replace("\\", "\\\\").replace('"', '\\"')
    return (
        f"org.apache.kafka.common.security.{module}LoginModule required "
        f'username="{kafka.sasl_username}" password="{secret}";'
    )
