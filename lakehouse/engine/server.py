"""How each engine is started: Apache Spark's Connect server on the JVM, or Sail's."""

from __future__ import annotations

import sys
from pathlib import Path

import pyspark

from lakehouse.engine.java import java_binary
from lakehouse.errors import JarsMissing
from lakehouse.places import PROJECT
from lakehouse.services import Service
from lakehouse.settings import Settings

NAME = "engine"
STREAM_NAME = "stream-engine"
JARS = PROJECT / ".cache" / "jars" / "engine"
CONNECT_SERVER = "org.apache.spark.sql.connect.service.SparkConnectServer"
# Spark compiles code for every query; the default cache for it is swept again and again.
JAVA_OPTIONS = "-Duser.timezone=UTC -XX:+UseParallelGC -XX:ReservedCodeCacheSize=512m"
# For each Column the client would note the line of Python that made it, at six times the cost.
NOTING_LINES = "spark.python.sql.dataFrameDebugging.enabled"
PIECES = 8
DELTA_DEFAULT = "spark.databricks.delta.properties.defaults"
DELTA_VACUUM = "spark.databricks.delta.vacuum"


def engine_service(settings: Settings) -> Service:
    """The engine of the settings' lake. Raises JavaMissing or JarsMissing for Spark."""
    if settings.engine == "sail":
        return _sail(settings)
    return _spark(settings)


def stream_engine_service(settings: Settings) -> Service:
    """The engine that streams run on, which is always Spark: the lake's own, or one beside Sail.

    Raises JavaMissing or JarsMissing.
    """
    return _spark(settings, NAME if settings.engine == "spark" else STREAM_NAME)


def _sail(settings: Settings) -> Service:
    sail = str(Path(sys.executable).with_name("sail"))

    def command(port: int) -> list[str]:
        return [sail, "spark", "server", "--ip", "127.0.0.1", "--port", str(port)]

    return Service(NAME, "sail", settings.lake, command, _environment(settings))


def _spark(settings: Settings, name: str = NAME) -> Service:
    java = java_binary()
    jars = sorted(str(jar) for jar in JARS.glob("*.jar"))
    if not jars:
        raise JarsMissing(path=JARS)

    def command(port: int) -> list[str]:
        home = _spark_home(settings.lake / ".services" / "spark")
        conf = spark_conf(settings, port, jars)
        return [*_submit(java, home), *_options(conf), "spark-internal"]

    return Service(name, "spark", settings.lake, command, _environment(settings))


def _spark_home(home: Path) -> Path:
    """Spark's directory without its Python.

    Spark puts pyspark.zip first on the path of each Python worker, which then compiles all it
    imports. Without the zip a worker imports what is installed, compiled already: under load that
    decides whether it is there within the ten seconds that Spark waits for it.
    """
    home.mkdir(parents=True, exist_ok=True)
    for name in ("bin", "jars"):
        link, target = home / name, Path(pyspark.__file__).parent / name
        if not (link.is_symlink() and link.readlink() == target):
            link.unlink(missing_ok=True)
            link.symlink_to(target)
    return home


def _submit(java: Path, home: Path) -> list[str]:
    return [
        # spark-submit itself would look for another Java by its own rules
        "env",
        f"JAVA_HOME={java.resolve().parents[1]}",
        f"SPARK_HOME={home}",
        str(home / "bin" / "spark-submit"),
        "--class",
        CONNECT_SERVER,
    ]


def _options(conf: dict[str, str]) -> list[str]:
    return [part for key, value in conf.items() for part in ("--conf", f"{key}={value}")]


def _environment(settings: Settings) -> dict[str, str]:
    return {
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_CONF_DIR": str(PROJECT / "conf" / "spark"),
        "TZ": "UTC",
    }


def spark_conf(settings: Settings, port: int, jars: list[str]) -> dict[str, str]:
    """The embedded server's configuration, fitted to a small machine."""
    cores = str(settings.spark.cores)
    scratch = settings.lake / ".services"
    return {
        "spark.master": f"local[{cores}]",
        "spark.app.name": f"lakehouse {settings.lake}",
        "spark.jars": ",".join(jars),
        "spark.driver.memory": settings.spark.driver_memory,
        "spark.driver.extraJavaOptions": JAVA_OPTIONS,
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": str(port),
        "spark.connect.grpc.maxInboundMessageSize": str(256 * 1024 * 1024),
        "spark.ui.enabled": "false",
        "spark.local.dir": str(scratch / "tmp"),
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.session.timeZone": "UTC",
        NOTING_LINES: "false",
        # Delta forces no timestamp type on its files; INT96 would leave them without statistics.
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        # Java never compiles a method longer than this; a gate's, in one piece, always is.
        "spark.sql.codegen.hugeMethodLimit": "8000",
        # Small shuffles are read by one task, larger ones by all cores, each a piece at a time.
        "spark.sql.shuffle.partitions": str(PIECES * settings.spark.cores),
        "spark.sql.adaptive.advisoryPartitionSizeInBytes": "16m",
        "spark.sql.adaptive.coalescePartitions.parallelismFirst": "false",
        # A table's log is replayed by a task for each, and most logs are short.
        "spark.databricks.delta.snapshotPartitions": "1",
        # A MERGE reads its source twice; computing indicators twice costs more than keeping them.
        "spark.databricks.delta.merge.materializeSource": "all",
        "spark.databricks.delta.retentionDurationCheck.enabled": "false",
        # Delta would refuse versions older than a week, files or no files; a release has no age.
        f"{DELTA_VACUUM}.enforceTimeTravelWithinDeletedFileRetentionDuration": "false",
        # Readers such as Polars and delta-rs must be able to follow.
        f"{DELTA_DEFAULT}.enableDeletionVectors": "false",
        f"{DELTA_DEFAULT}.checkpointInterval": "50",
        # Kept releases are read through old entries of the log; `lakehouse vacuum` cleans it.
        f"{DELTA_DEFAULT}.enableExpiredLogCleanup": "false",
    }
