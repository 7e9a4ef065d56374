"""`lakehouse up | down | status | doctor`: the processes behind a lake."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum

import typer

from lakehouse import services
from lakehouse.cli.forking.service import leave_one_behind
from lakehouse.cli.output import print_json, print_rows, say
from lakehouse.engine import engine_service
from lakehouse.engine.java import java_binary
from lakehouse.engine.server import JARS, NAME, STREAM_NAME
from lakehouse.errors import LakehouseError
from lakehouse.exchange import exchange_service
from lakehouse.orchestrator import ensure_airflow, run_airflow
from lakehouse.services import Running
from lakehouse.settings import Settings, load_settings

JSON = typer.Option(False, "--json", help="Print JSON.")


class Part(StrEnum):
    """What `lakehouse up` can start by itself."""

    ENGINE = "engine"
    EXCHANGE = "exchange"
    KAFKA = "kafka"
    AIRFLOW = "airflow"


PARTS = typer.Argument(None, help="Only these; none: all but kafka.")


def up(
    parts: list[Part] | None = PARTS,
    airflow: bool = typer.Option(True, help="Start Airflow as well."),
) -> None:
    """Start the engine, the simulated exchange and Airflow, or find them running."""
    settings = load_settings()
    usual = [Part.ENGINE, Part.EXCHANGE, *([Part.AIRFLOW] if airflow else [])]
    wanted = parts or usual
    with ThreadPoolExecutor() as pool:
        # Each waits mostly for its own processes.
        starting = [pool.submit(starter, settings) for starter in _starters(wanted)]
        is_signing_in = Part.AIRFLOW in wanted
        sign_in = pool.submit(ensure_airflow, settings).result() if is_signing_in else None
        for service in starting:
            service.result()
    leave_one_behind(settings)
    print_rows([_row(running) for running in services.running_services(settings.lake)])
    if sign_in:
        say(f"Airflow: {sign_in.url}  user {sign_in.user}  password {sign_in.password}")


def _starters(wanted: Sequence[Part]) -> Iterator[Callable[[Settings], object]]:
    if Part.ENGINE in wanted and _has_own_engine():
        yield lambda settings: engine_service(settings).ensure()
    if Part.EXCHANGE in wanted:
        yield lambda settings: exchange_service(settings).ensure()
    if Part.KAFKA in wanted:
        yield _up_kafka


def _up_kafka(settings: Settings) -> None:
    from lakehouse.kafka import ensure_topics

    ensure_topics(settings, [settings.kafka.trades, settings.kafka.prices])


def _has_own_engine() -> bool:
    return "SPARK_REMOTE" not in os.environ


def down() -> None:
    """Stop everything that runs for this lake."""
    stopped = services.stop_all(load_settings().lake)
    for service in stopped:
        say(f"Stopped {service.name} (process {service.pid}).")
    if not stopped:
        say("Nothing was running.")


def airflow(context: typer.Context) -> None:
    """Airflow's own command line on this lake, e.g. lakehouse airflow dags list."""
    settings = load_settings()
    raise typer.Exit(run_airflow(settings, context.args))


def status(as_json: bool = JSON) -> None:
    """What runs for this lake."""
    rows = [_row(running) for running in services.running_services(load_settings().lake)]
    if as_json:
        print_json(rows)
    elif rows:
        print_rows(rows)
    else:
        say("Nothing is running. `lakehouse up` starts the engine.")


def _row(running: Running) -> dict[str, object]:
    return {
        "service": running.name,
        "kind": running.kind if running.name in (NAME, STREAM_NAME) else "",
        "process": str(running.pid),
        "address": f"127.0.0.1:{running.port}" if running.port else "",
        "memory_mb": running.memory_bytes // 2**20,
    }


def doctor(as_json: bool = JSON) -> None:
    """Check what the lakehouse needs; exit code 1 if something is missing."""
    settings = load_settings()
    checks = [_java(), _jars(), _engine(settings), _lake(settings), _versions()]
    if as_json:
        print_json(checks)
    else:
        print_rows(checks)
    if not all(check["is_well"] for check in checks):
        raise typer.Exit(1)


def _check(name: str, is_well: bool, finding: str) -> dict[str, object]:
    return {"check": name, "is_well": is_well, "finding": finding}


def _java() -> dict[str, object]:
    try:
        return _check("java", True, str(java_binary()))
    except LakehouseError as error:
        return _check("java", False, str(error))


def _jars() -> dict[str, object]:
    count = len(list(JARS.glob("*.jar")))
    return _check("jars", count > 0, f"{count} in {JARS}" if count else "none; run `make setup`")


def _engine(settings: Settings) -> dict[str, object]:
    if remote := os.environ.get("SPARK_REMOTE"):
        return _check("engine", True, f"SPARK_REMOTE={remote}")
    running = services.find(settings.lake, "engine")
    finding = (
        f"{running.kind} on port {running.port}" if running else "not running; starts on demand"
    )
    return _check("engine", True, finding)


def _lake(settings: Settings) -> dict[str, object]:
    settings.lake.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(settings.lake).free / 2**30
    is_writable = os.access(settings.lake, os.W_OK)
    return _check("lake", is_writable and free > 1, f"{settings.lake}, {free:.0f} GiB free")


def _versions() -> dict[str, object]:
    names = (
        "pyspark",
        "delta-spark",
        "deltalake",
        "pysail",
        "dbt-core",
        "great-expectations",
        "apache-airflow",
    )
    found = (f"{name} {importlib.metadata.version(name)}" for name in names)
    return _check("versions", True, ", ".join(found))
