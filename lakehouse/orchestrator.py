"""Airflow as background processes of the lake, on loopback, its database and logs in the lake.

`airflow standalone` would do nearly the same, but its log servers listen on every address of the
machine, and it goes on without a part that died.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx
from dotenv import dotenv_values

from lakehouse.errors import OrchestratorStartFailed
from lakehouse.places import PROJECT
from lakehouse.services import Service, find
from lakehouse.settings import Settings

API = "airflow-api-server"
PARTS = {
    "airflow-scheduler": ["scheduler", "--skip-serve-logs"],
    "airflow-dag-processor": ["dag-processor"],
    "airflow-triggerer": ["triggerer", "--skip-serve-logs"],
}
USER = "admin"
CONNECTION = {
    "connection_id": "lakehouse_engine",
    "conn_type": "spark_connect",
    "description": "Where tasks compute. Without a host it is the lake's own engine.",
}
START_SECONDS = 120


@dataclass(frozen=True, slots=True)
class SignIn:
    """Where Airflow's pages are, and who may see them."""

    url: str
    user: str
    password: str


def ensure_airflow(settings: Settings) -> SignIn:
    """Airflow, whole and healthy; parts that died or have other settings are started anew.

    Raises EngineStartFailed or OrchestratorStartFailed.
    """
    _migrate(settings)
    password = _password(settings)
    port = _api(settings).ensure().port or 0
    for name, arguments in PARTS.items():
        _part(settings, name, arguments, port).ensure()
    sign_in = SignIn(f"http://127.0.0.1:{port}", USER, password)
    _wait_until_healthy(settings, sign_in.url)
    _name_engine(sign_in)
    return sign_in


def airflow_home(settings: Settings) -> Path:
    return settings.lake / ".services" / "airflow"


def airflow_environment(settings: Settings, port: int) -> dict[str, str]:
    """What Airflow's own commands need in their environment to work on this lake."""
    url, home = f"http://127.0.0.1:{port}", airflow_home(settings)
    defaults = dotenv_values(PROJECT / "conf" / "airflow" / "local.env")
    return {
        # As with the lakehouse's own settings, the environment has the last word.
        **{name: os.environ.get(name, value or "") for name, value in defaults.items()},
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__PARALLELISM": str(settings.airflow.tasks_at_a_time),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "LAKEHOUSE__ROOT": str(settings.lake),
        # Airflow starts commands of its own by their names.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
    }


def run_airflow(settings: Settings, arguments: Sequence[str]) -> int:
    """Run Airflow's own command line on this lake; its exit code."""
    _migrate(settings)
    running = find(settings.lake, API)
    port = (running and running.port) or settings.airflow.port
    return _run(settings, arguments, port)


def _run(
    settings: Settings, arguments: Sequence[str], port: int, output: IO[bytes] | None = None
) -> int:
    environment = {**os.environ, **airflow_environment(settings, port)}
    return subprocess.run(  # noqa: S603 - the command is ours
        [_airflow(), *arguments], stdout=output, stderr=output, env=environment
    ).returncode


def _airflow() -> str:
    return str(Path(sys.executable).with_name("airflow"))


def _api(settings: Settings) -> Service:
    def command(port: int) -> list[str]:
        # The address it is told to be found at depends on the port, which is known only now.
        address = airflow_environment(settings, port)
        named = [f"{name}={value}" for name, value in address.items()]
        place = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
        return ["env", *named, _airflow(), "api-server", *place]

    kind = _fingerprint(settings, airflow_environment(settings, 0))
    return Service(API, kind, settings.lake, command, {}, port=settings.airflow.port)


def _part(settings: Settings, name: str, arguments: list[str], port: int) -> Service:
    def command(_: int) -> list[str]:
        return [_airflow(), *arguments]

    environment = airflow_environment(settings, port)
    kind = _fingerprint(settings, environment)
    return Service(name, kind, settings.lake, command, environment, is_listening=False)


def _fingerprint(settings: Settings, environment: dict[str, str]) -> str:
    """Changes with anything that a running process would not notice."""
    known = f"{settings.model_dump_json()} {environment}"
    return hashlib.sha256(known.encode()).hexdigest()[:12]


def _migrate(settings: Settings) -> None:
    """Bring the database up to this Airflow; its first start also makes up its secrets."""
    from importlib.metadata import version

    home = airflow_home(settings)
    done = home / f"migrated-{version('apache-airflow')}"
    if done.exists():
        return
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    log = home / "migrate.log"
    with log.open("ab") as output:
        code = _run(settings, ["db", "migrate"], settings.airflow.port, output)
    if code:
        raise OrchestratorStartFailed(problem="its database cannot be migrated", log=log)
    done.touch()


def _password(settings: Settings) -> str:
    """The password, made up at the first start: Airflow would write its own into its log."""
    file = airflow_home(settings) / "simple_auth_manager_passwords.json.generated"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(json.dumps({USER: secrets.token_urlsafe(12)}))
    return str(json.loads(file.read_text())[USER])


def _wait_until_healthy(settings: Settings, url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while unhealthy := _unhealthy(url):
        dead = [name for name in PARTS if find(settings.lake, name) is None]
        if dead or time.monotonic() > deadline:
            problem = f"{', '.join(dead or unhealthy)} did not come up"
            folder = settings.lake / ".services"
            raise OrchestratorStartFailed(problem=problem, log=folder / f"{(dead or [API])[0]}.log")
        time.sleep(0.3)


def _unhealthy(url: str) -> list[str]:
    try:
        health = httpx.get(f"{url}/api/v2/monitor/health", timeout=10).raise_for_status().json()
    except httpx.HTTPError:
        return [API]
    return [part for part, facts in health.items() if facts["status"] != "healthy"]


def _name_engine(sign_in: SignIn) -> None:
    """Show the engine among Airflow's connections, where a person may point it elsewhere."""
    with signed_in(sign_in) as client:
        known = client.get(f"/api/v2/connections/{CONNECTION['connection_id']}")
        if known.status_code == httpx.codes.NOT_FOUND:
            client.post("/api/v2/connections", json=CONNECTION).raise_for_status()


@contextmanager
def signed_in(sign_in: SignIn) -> Iterator[httpx.Client]:
    """A client of Airflow's REST API."""
    given = {"username": sign_in.user, "password": sign_in.password}
    with httpx.Client(base_url=sign_in.url, timeout=30) as client:
        answer = client.post("/auth/token", json=given).raise_for_status()
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield client
