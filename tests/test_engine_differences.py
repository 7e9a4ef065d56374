"""What Sail does otherwise than Spark, on a real Sail; docs/engines.md says what we do about it.

When a test here fails after an update, Sail is mended: drop the workaround that the page names.
Old versions beneath a checkpoint are in test_checkpoint_hints.py.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from lakehouse import Lakehouse, delta
from lakehouse.errors import InvalidQuery
from lakehouse.settings import Settings
from tests.conftest import sail_session


@dataclass(frozen=True, slots=True)
class Shelf:
    """A session and a schema of its own for the tables of a test."""

    session: SparkSession
    folder: Path
    schema: str

    def sql(self, text: str) -> list[tuple[Any, ...]]:
        found = self.session.sql(text.replace("shelf.", f"{self.schema}."))
        return [tuple(row) for row in found.collect()]

    def table(self, rows: dict[str, list[Any]], **options: Any) -> Path:
        """A Delta table named shelf.t, with these columns."""
        path = self.folder / "t"
        write_deltalake(str(path), pa.table(rows), **options)
        self.sql(f"CREATE TABLE shelf.t USING delta LOCATION '{path}'")
        return path


@pytest.fixture
def shelf(sail: SparkSession, tmp_path: Path) -> Shelf:
    shelf = Shelf(sail, tmp_path, f"shelf_{uuid.uuid4().hex[:8]}")
    sail.sql(f"CREATE SCHEMA {shelf.schema} LOCATION '{tmp_path}/schema'")
    return shelf


# 2026-03-01 was a Sunday.
ANSWERS: tuple[tuple[str, object, object], ...] = (
    ("weekday(date'2026-03-01')", 6, -1),
    ("extract(dow from date'2026-03-01')", 1, 0),
    ("bround(2.5)", Decimal(2), 3.0),
    ("date'2026-03-02' - date'2026-03-01'", timedelta(days=1), 1),
    ("percentile_approx(x, 0.5) from values (1), (2), (3), (4) as t(x)", 2, 2.5),
    ("cast(1 as decimal(38, 18)) / 3", Decimal("0." + 18 * "3"), Decimal("0." + 22 * "3")),
    ("cast(1e7d as string)", "1.0E7", "10000000.0"),
)


@pytest.mark.parametrize(("expression", "right", "otherwise"), ANSWERS)
def test_sail_answers_an_expression_otherwise(
    sail: SparkSession, expression: str, right: object, otherwise: object
) -> None:
    assert sail.sql(f"SELECT {expression}").collect()[0][0] == otherwise


@pytest.mark.parametrize(("expression", "right", "otherwise"), ANSWERS)
def test_spark_answers_it_rightly(
    spark: SparkSession, expression: str, right: object, otherwise: object
) -> None:
    assert spark.sql(f"SELECT {expression}").collect()[0][0] == right


OVERFLOWS = (
    ("2147483647 + 1", -(2**31)),
    ("2147483647 * 2", -2),
    ("sum(x) from values (9223372036854775807), (1) as t(x)", -(2**63)),
)


@pytest.mark.parametrize(("expression", "wrapped"), OVERFLOWS)
def test_sail_lets_integers_wrap_around(sail: SparkSession, expression: str, wrapped: int) -> None:
    assert sail.sql(f"SELECT {expression}").collect()[0][0] == wrapped


@pytest.fixture
def as_spark_is(spark: SparkSession) -> Iterator[SparkSession]:
    """A session by Spark's own rules: dbt's adapter lifts one in the session that it is given."""
    before = spark.conf.get("spark.sql.ansi.enabled") or "true"
    spark.conf.set("spark.sql.ansi.enabled", "true")
    yield spark
    spark.conf.set("spark.sql.ansi.enabled", before)


@pytest.mark.parametrize("expression", [expression for expression, _ in OVERFLOWS])
def test_spark_refuses_integers_that_are_too_large(
    as_spark_is: SparkSession, expression: str
) -> None:
    with pytest.raises(PySparkException, match="ARITHMETIC_OVERFLOW"):
        as_spark_is.sql(f"SELECT {expression}").collect()


WRONG = ("weekday(date'2026-03-01')", "EXTRACT( dow from date'2026-03-01')", "bround (2.5)")


@pytest.mark.parametrize("expression", WRONG)
def test_what_sail_answers_wrongly_is_refused_in_a_query(
    sail: SparkSession, sail_lake: Settings, expression: str
) -> None:
    with pytest.raises(InvalidQuery, match=r"this engine answers .* wrongly\. Use .*=spark"):
        Lakehouse(sail_lake, sail).sql(f"select {expression}")


@pytest.mark.parametrize(
    "query", ["select 'weekday(x)' as a", "select 1 as a -- bround(2.5)", "select dayofweek(now())"]
)
def test_a_query_that_only_speaks_of_it_is_not_refused(
    sail: SparkSession, sail_lake: Settings, query: str
) -> None:
    assert Lakehouse(sail_lake, sail).sql(query).count() == 1


def test_an_engine_that_answers_rightly_is_asked(spark: SparkSession, lake: Settings) -> None:
    assert Lakehouse(lake, spark).sql(f"select {WRONG[0]} as day").collect()[0].day == 6


@pytest.mark.parametrize(
    "statement",
    [
        "DESCRIBE HISTORY shelf.t",
        "DESCRIBE DETAIL shelf.t",
        "RESTORE TABLE shelf.t TO VERSION AS OF 0",
        "OPTIMIZE shelf.t",
        "VACUUM shelf.t",
        "ALTER TABLE shelf.t ADD COLUMNS (b int)",
        "CREATE TABLE shelf.c (a bigint) USING delta CLUSTER BY (a)",
        "SELECT * EXCEPT (a) FROM shelf.t",
        "SELECT * FROM shelf.t PIVOT (sum(a) FOR a IN (1, 2))",
        "SELECT zip_with(array(1), array(2), (x, y) -> x + y)",
        "SELECT input_file_name() FROM shelf.t",
    ],
)
def test_sail_does_not_know_a_statement(shelf: Shelf, statement: str) -> None:
    shelf.table({"a": [1]})
    with pytest.raises(PySparkException, match=r"(?i)found |unsupported|function: |CLUSTER BY"):
        shelf.sql(statement)


def test_sail_tells_nothing_of_a_tables_columns(shelf: Shelf) -> None:
    shelf.table({"a": [1]})
    assert shelf.sql("DESCRIBE TABLE shelf.t") == []
    assert shelf.sql("SHOW COLUMNS IN shelf.t") == []


def test_sail_writes_partition_columns_last(shelf: Shelf) -> None:
    path = str(shelf.folder / "parted")
    rows = shelf.session.createDataFrame([("x", 1)], "kind string, a long")
    rows.write.format("delta").partitionBy("kind").save(path)
    assert [field.name for field in DeltaTable(path).schema().fields] == ["a", "kind"]


def test_sail_loses_a_partition_column_that_is_an_alias_in_a_merge(shelf: Shelf) -> None:
    shelf.table({"a": ["x"], "kind": ["x"]}, partition_by=["kind"])

    def merged(kind: str) -> None:
        shelf.session.createDataFrame([("y",)], "a string").selectExpr(
            "a", f"{kind} AS kind"
        ).createOrReplaceTempView("arrived")
        shelf.sql(
            "MERGE INTO shelf.t USING arrived ON t.a = arrived.a WHEN NOT MATCHED THEN INSERT *"
        )

    with pytest.raises(PySparkException, match="planning"):
        merged("a")
    merged("lower(a)")
    assert sorted(shelf.sql("SELECT a, kind FROM shelf.t")) == [("x", "x"), ("y", "y")]


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO shelf.t SELECT cast(2 AS bigint)",
        "DELETE FROM shelf.t WHERE a = 1",
        "MERGE INTO shelf.t USING (SELECT 1L AS a) AS s ON t.a = s.a WHEN MATCHED THEN DELETE",
    ],
)
def test_sail_cannot_write_a_table_with_a_change_feed(shelf: Shelf, statement: str) -> None:
    shelf.table({"a": [1]}, configuration={"delta.enableChangeDataFeed": "true"})
    with pytest.raises(PySparkException, match="ChangeDataFeed"):
        shelf.sql(statement)


def test_sail_writes_no_file_where_there_is_no_row(shelf: Shelf) -> None:
    shelf.session.range(0).write.parquet(str(shelf.folder / "empty"))
    assert not (shelf.folder / "empty").exists()
    assert shelf.session.read.parquet(str(shelf.folder / "empty")).columns == []


def test_sail_ignores_the_transaction_of_an_application(shelf: Shelf) -> None:
    path = str(shelf.folder / "twice")
    for _ in range(2):
        shelf.session.range(1).write.format("delta").mode("append").option(
            "txnAppId", "app"
        ).option("txnVersion", 1).save(path)
    assert DeltaTable(path).count() == 2


def test_sail_drops_a_column_that_merge_schema_should_add(shelf: Shelf) -> None:
    path = str(shelf.folder / "grown")
    for columns in (["id AS a"], ["id AS a", "id AS b"]):
        shelf.session.range(1).selectExpr(*columns).write.format("delta").mode("append").option(
            "mergeSchema", "true"
        ).save(path)
    assert [field.name for field in DeltaTable(path).schema().fields] == ["a"]


def test_sail_registers_tables_for_one_session_only(shelf: Shelf, sail_remote: str) -> None:
    shelf.table({"a": [1]})
    with (
        sail_session(sail_remote) as other,
        pytest.raises(PySparkException, match=r"(?i)not found"),
    ):
        other.sql(f"SHOW TABLES IN {shelf.schema}").collect()


def test_sail_streams_neither_from_kafka_nor_into_delta(shelf: Shelf) -> None:
    kafka = shelf.session.readStream.format("kafka").option("subscribe", "trades")
    with pytest.raises(PySparkException, match=r"(?i)data source"):
        _ = kafka.option("kafka.bootstrap.servers", "127.0.0.1:1").load().schema
    rows = shelf.session.readStream.format("rate").load()
    delta_sink = rows.writeStream.format("delta").option("path", str(shelf.folder / "stream"))
    with pytest.raises(PySparkException):
        delta_sink.option("checkpointLocation", str(shelf.folder / "at")).start()


@pytest.mark.parametrize(
    ("on", "refused"),
    [
        ("NOT NULL", "DELTA_NOT_NULL_CONSTRAINT_VIOLATED"),
        ("CHECK", "DELTA_VIOLATE_CONSTRAINT_WITH_VALUES"),
    ],
)
def test_what_guards_a_table_guards_it_on_sail_as_well(shelf: Shelf, on: str, refused: str) -> None:
    schema = pa.schema([pa.field("a", pa.int64(), nullable=on != "NOT NULL")])
    write_deltalake(str(shelf.folder / "t"), pa.table({"a": [1]}, schema=schema))
    if on == "CHECK":
        DeltaTable(str(shelf.folder / "t")).alter.add_constraint({"positive": "a > 0"})
    shelf.sql(f"CREATE TABLE shelf.t USING delta LOCATION '{shelf.folder}/t'")
    bad = "cast(NULL AS bigint)" if on == "NOT NULL" else "-1L"
    with pytest.raises(PySparkException, match=refused):
        shelf.sql(f"INSERT INTO shelf.t SELECT {bad}")


def test_two_source_rows_for_one_target_row_are_refused_on_sail_as_well(shelf: Shelf) -> None:
    shelf.table({"a": [1], "b": [0]})
    rows = shelf.session.createDataFrame([(1, 5), (1, 6)], "a long, b long")
    with pytest.raises(PySparkException, match="MERGE_CARDINALITY_VIOLATION"):
        delta.upsert(rows, f"{shelf.schema}.t", ["a"])


def times_computed(session: SparkSession, folder: Path) -> int:
    """How often the one row of a MERGE's source is computed."""
    write_deltalake(str(folder / "t"), pa.table({"a": [1]}))

    def counted(a: int) -> int:
        with (folder / "calls").open("a") as file:
            file.write(".")
        return a

    session.udf.register("counted", counted, "long")
    source = session.createDataFrame([(2,)], "a long").selectExpr("counted(a) AS a")
    delta.upsert(source, f"delta.`{folder}/t`", ["a"])
    return len((folder / "calls").read_text())


def test_sail_computes_the_source_of_a_merge_again_and_again(
    sail: SparkSession, tmp_path: Path
) -> None:
    assert times_computed(sail, tmp_path) > 1


def test_spark_computes_it_once(spark: SparkSession, tmp_path: Path) -> None:
    assert times_computed(spark, tmp_path) == 1


LONE = 101.33915055656533


@pytest.mark.parametrize("writer", ["sail", "delta-rs"])
@pytest.mark.parametrize(("told", "is_right"), [("a,x", False), ("a", True)])
def test_sail_reads_a_lone_double_as_the_log_tells_it_and_wrongly(
    shelf: Shelf, writer: str, told: str, is_right: bool
) -> None:
    properties = {"delta.dataSkippingStatsColumns": told}
    path = shelf.table({"a": [1], "x": [0.5]}, configuration=properties)
    if writer == "sail":
        shelf.sql(f"INSERT INTO shelf.t SELECT 2L, {LONE!r}D")
    else:
        write_deltalake(str(path), pa.table({"a": [2], "x": [LONE]}), mode="append")
    assert (shelf.sql("SELECT x FROM shelf.t WHERE a = 2") == [(LONE,)]) == is_right


def test_sail_sees_at_once_what_others_wrote(shelf: Shelf) -> None:
    path = str(shelf.table({"a": [1]}))
    count = "SELECT count(*) FROM shelf.t"
    write_deltalake(path, pa.table({"a": [2]}), mode="append")
    assert shelf.sql(count) == [(2,)]
    DeltaTable(path).restore(0)
    assert shelf.sql(count) == [(1,)]


def test_sail_finds_rows_by_microseconds_that_statistics_tell_in_milliseconds(
    shelf: Shelf,
) -> None:
    moment = pa.array([1_772_409_600_123_456], pa.timestamp("us", "UTC"))
    shelf.table({"at": moment})
    for condition in ("at >=", "at ="):
        found = shelf.sql(
            f"SELECT 1 FROM shelf.t WHERE {condition} timestamp'2026-03-02 00:00:00.123456'"
        )
        assert found == [(1,)]


def test_spark_does_not_find_a_negative_zero_that_rust_wrote(
    spark: SparkSession, sail: SparkSession, tmp_path: Path
) -> None:
    path = str(tmp_path / "zero")
    write_deltalake(path, pa.table({"a": [-0.0]}))
    for session, rows in ((spark, 0), (sail, 1)):
        assert session.read.format("delta").load(path).where("a = 0").count() == rows
