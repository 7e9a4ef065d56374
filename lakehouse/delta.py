"""Delta tables: creating them and writing to them in the ways both engines share."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError
from deltalake.schema import Schema
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from tenacity import (
    RetryError,
    Retrying,
    retry,
    retry_if_exception,
    stop_after_attempt,
    wait_random_exponential,
)

from lakehouse.delta_log import KEEPING
from lakehouse.errors import WriteConflict
from lakehouse.settings import Settings
from lakehouse.tables import Table

ATTEMPTS = 10
CONFIGURATION = {
    "delta.checkpointInterval": "50",
    "delta.enableDeletionVectors": "false",
    **KEEPING,
}
# Words by which the engines say that another writer was faster: Delta on Spark, then Sail.
CONFLICTS = (
    "Failed to commit transaction",
    "DELTA_CONCURRENT",
    "DELTA_METADATA_CHANGED",
    "Concurrent",
    "conflict",
    "version already exists",
    "Missing commit file",  # Sail's word where a checkpoint was written meanwhile
)


def configuration(table: Table) -> dict[str, str]:
    """The properties of a Delta table of the registry."""
    return {**CONFIGURATION, "delta.dataSkippingStatsColumns": ",".join(table.told_columns)}


@retry(
    retry=retry_if_exception(lambda error: _is_conflict(error)),
    stop=stop_after_attempt(ATTEMPTS),
    wait=wait_random_exponential(multiplier=0.2, max=5),
    reraise=True,
)
def ensure_table(session: SparkSession, settings: Settings, table: Table) -> None:
    """Create the registry's table if the lake has none, and name it in the session."""
    path = table.path(settings.lake)
    if not DeltaTable.is_deltatable(str(path)):
        # The engine's own type mapping, so that the table's schema is what its DDL says.
        schema = session.createDataFrame([], table.ddl).toArrow().schema
        DeltaTable.create(
            str(path),
            schema=Schema.from_arrow(schema),
            mode="ignore",
            partition_by=list(table.partition_by),
            name=table.name,
            description=table.grain,
            configuration=configuration(table),
        )
    session.sql(f"CREATE TABLE IF NOT EXISTS {table.full_name} USING delta LOCATION '{path}'")


def insert_missing(
    rows: DataFrame, table: Table, identity: Sequence[str], bounds: str = "true"
) -> int:
    """Insert the rows that the table does not hold yet; how many there were.

    Two rows are the same when all `identity` columns are equal, null being equal to null. `bounds`
    is SQL over `target` that narrows what is read of the table. Raises WriteConflict.
    """
    on = f"{bounds} AND {_equal(identity)}"
    return _merge(rows, table.full_name, on, "WHEN NOT MATCHED THEN INSERT *")


def upsert(
    rows: DataFrame, table: str, keys: Sequence[str], update_columns: Sequence[str] | None = None
) -> int:
    """Update the rows with equal keys, insert the others; how many. Raises WriteConflict."""
    assignments = ", ".join(f"target.{c} = source.{c}" for c in update_columns or ())
    update = f"UPDATE SET {assignments}" if assignments else "UPDATE SET *"
    clauses = f"WHEN MATCHED THEN {update} WHEN NOT MATCHED THEN INSERT *"
    return _merge(rows, table, _equal(keys), clauses)


def delete(rows: DataFrame, table: str, keys: Sequence[str]) -> int:
    """Delete the table's rows that have the keys of `rows`; how many. Raises WriteConflict."""
    return _merge(rows.select(*keys), table, _equal(keys), "WHEN MATCHED THEN DELETE")


def _equal(columns: Sequence[str]) -> str:
    return " AND ".join(f"target.{name} <=> source.{name}" for name in columns)


def _merge(rows: DataFrame, table: str, on: str, clauses: str) -> int:
    """Run a MERGE with `rows` as its source, again if others wrote first; the rows it changed."""
    view = f"merge_{uuid.uuid4().hex}"
    rows.createOrReplaceTempView(view)
    sql = f"MERGE INTO {table} AS target USING {view} AS source ON {on} {clauses}"
    try:
        for attempt in Retrying(
            retry=retry_if_exception(_is_conflict),
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.2, max=5),
        ):
            with attempt:
                # Spark names the count num_affected_rows, Sail count; both put it first.
                return int(rows.sparkSession.sql(sql).collect()[0][0])
    except RetryError as error:
        raise WriteConflict(table=table, attempts=ATTEMPTS) from error.__cause__
    finally:
        rows.sparkSession.catalog.dropTempView(view)
    raise AssertionError("unreachable: the loop returns or raises")


def _is_conflict(error: BaseException) -> bool:
    is_of_a_table = isinstance(error, PySparkException | CommitFailedError)
    return is_of_a_table and any(word in str(error) for word in CONFLICTS)
