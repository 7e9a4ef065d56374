"""Parquet files that an engine wrote become rows of a Delta table, by one commit of delta-rs.

Nothing is read or written again: the files move, and their footers tell the statistics.
"""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable
from deltalake.schema import Schema
from deltalake.transaction import AddAction, create_table_with_add_actions

from lakehouse.delta import configuration
from lakehouse.tables import Table

DOUBLES = ("DOUBLE", "FLOAT")


def replace_rows(path: Path, folder: Path, schema: pa.Schema, table: Table) -> None:
    """The table, made if it is not there, with these columns and the rows of the folder's files."""
    added = _moved(folder, path)
    create_table_with_add_actions(
        str(path),
        Schema.from_arrow(schema),
        added,
        mode="overwrite",
        partition_by=list(table.partition_by),
        configuration=configuration(table),
        commit_properties=_counted(_rows(added)),
    )


def append_rows(path: Path, folder: Path, before: DeltaTable | None = None) -> int:
    """Add the rows of the folder's files; how many. No rows are no commit.

    `before` is the only version they may be added to: raises CommitFailedError where there is
    another by now.
    """
    added = _moved(folder, path)
    rows = _rows(added)
    if added:
        table = before or DeltaTable(str(path))
        partition_by = table.metadata().partition_columns
        # Who knows the table as it was has read it: whoever merges meanwhile must look again.
        how = _counted(rows, isBlindAppend=before is None)
        how.max_commit_retries = None if before is None else 0
        table.create_write_transaction(
            [*added], "append", table.schema(), partition_by, commit_properties=how
        )
    return rows


def _moved(folder: Path, path: Path) -> list[AddAction]:
    return [_move(file, folder, path) for file in sorted(folder.rglob("*.parquet"))]


def _move(file: Path, folder: Path, path: Path) -> AddAction:
    """At the last moment: a file whose commit never comes is nobody's, and stays."""
    partition = file.parent.relative_to(folder)
    target = path / partition / f"part-{uuid.uuid4()}.parquet"
    target.parent.mkdir(parents=True, exist_ok=True)
    file.rename(target)
    status = target.stat()
    return AddAction(
        path=str(target.relative_to(path)),
        size=status.st_size,
        partition_values=dict(_partition_values(partition)),
        modification_time=int(status.st_mtime * 1000),
        data_change=True,
        stats=json.dumps(_statistics(target)),
    )


def _partition_values(folder: Path) -> Iterator[tuple[str, str]]:
    """`timeframe=1m/…`, as Hive names folders."""
    for part in folder.parts:
        name, _, value = part.partition("=")
        yield name, unquote(value)


def _counted(rows: int, **told: bool) -> CommitProperties:
    metrics = {"num_added_rows": rows}
    return CommitProperties(custom_metadata={"operationMetrics": metrics, **told})


def _rows(added: Iterable[AddAction]) -> int:
    return sum(json.loads(action.stats)["numRecords"] for action in added)


def _statistics(file: Path) -> dict[str, Any]:
    """Delta's statistics of a file, from those of its row groups."""
    footer = pq.read_metadata(file)
    chunks: dict[str, list[Any]] = defaultdict(list)
    for group in (footer.row_group(number) for number in range(footer.num_row_groups)):
        for number in range(group.num_columns):
            chunk = group.column(number)
            chunks[chunk.path_in_schema].append(chunk.statistics)
    ends = {name: found for name, each in chunks.items() if (found := _ends(each))}
    return {
        "numRecords": footer.num_rows,
        "minValues": {name: _json(least) for name, (least, _) in ends.items()},
        "maxValues": {name: _json(most) for name, (_, most) in ends.items()},
        "nullCount": {name: sum(s.null_count for s in each) for name, each in chunks.items()},
    }


def _ends(statistics: list[Any]) -> tuple[Any, Any] | None:
    """The least and the greatest value; nothing where a row group has values but does not say, and
    nothing of doubles (see Table.told_columns)."""
    of_values = [each for each in statistics if each.num_values]
    is_told = all(each.has_min_max and each.physical_type not in DOUBLES for each in of_values)
    if not of_values or not is_told:
        return None
    return min(each.min for each in of_values), max(each.max for each in of_values)


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds").replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value
