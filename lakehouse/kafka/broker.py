"""The embedded broker: Apache Kafka in KRaft mode, one process, its data under the lake's root."""

from __future__ import annotations

import subprocess
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path

from lakehouse.engine.java import java_binary
from lakehouse.errors import BrokerStartFailed, EngineStartFailed, JarsMissing
from lakehouse.places import PROJECT
from lakehouse.services import Running, Service, free_port
from lakehouse.settings import Settings

NAME = "kafka"
JARS = PROJECT / ".cache" / "jars" / "broker"
LOGGING = PROJECT / "conf" / "kafka" / "log4j2.properties"


def ensure_broker(settings: Settings) -> Running:
    """The running broker, started if need be.

    Raises BrokerStartFailed, JavaMissing or JarsMissing.
    """
    service = broker_service(settings)
    try:
        return service.ensure()
    except EngineStartFailed as error:
        raise BrokerStartFailed(problem=error.problem, log=error.log) from None


def broker_service(settings: Settings) -> Service:
    """How the lake's broker is started. It comes back at the port that it had before."""
    home = settings.lake / "kafka"
    java = java_binary()
    if not any(JARS.glob("*.jar")):
        raise JarsMissing(path=JARS)

    def command(port: int) -> list[str]:
        properties = _write_properties(home, port)
        _format_once(java, home, properties)
        return [*_java(java, settings.kafka.heap), "kafka.Kafka", str(properties)]

    port = _port_before(home) or settings.kafka.port
    return Service(NAME, "kafka", settings.lake, command, {}, port=port)


def _java(java: Path, heap: str) -> list[str]:
    return [
        str(java),
        f"-Xmx{heap}",
        "-XX:+UseG1GC",
        f"-Dlog4j2.configurationFile={LOGGING}",
        "--class-path",
        str(JARS / "*"),
    ]


def _write_properties(home: Path, port: int) -> Path:
    home.mkdir(parents=True, exist_ok=True)
    controller = free_port()
    properties = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "log.dirs": home / "data",
        "offsets.topic.replication.factor": 1,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        # A topic that nobody configured is a typing error, not a wish.
        "auto.create.topics.enable": "false",
        # What does not fit becomes a dead letter, so it must get in first.
        "message.max.bytes": 4 * 1024 * 1024,
        # One that was killed is only let in again when its last session has run out.
        "broker.session.timeout.ms": 3000,
        "broker.heartbeat.interval.ms": 500,
        "num.network.threads": 2,
        "num.io.threads": 2,
    }
    path = home / "server.properties"
    path.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))
    return path


def _port_before(home: Path) -> int | None:
    try:
        lines = (home / "server.properties").read_text().splitlines()
    except OSError:
        return None
    listeners = next((line for line in lines if line.startswith("listeners=")), "")
    first = listeners.partition(",")[0].rpartition(":")[2]
    return int(first) if first.isdigit() else None


def _format_once(java: Path, home: Path, properties: Path) -> None:
    if (home / "data" / "meta.properties").exists():
        return
    cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    storage_tool = ["kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(properties)]
    done = subprocess.run(  # noqa: S603 - the command is ours
        [*_java(java, "128m"), *storage_tool], capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["it says nothing"]
        raise BrokerStartFailed(problem=f"its storage cannot be made: {lines[-1]}", log="none")
