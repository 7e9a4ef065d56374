"""The data dictionary: docs/data_dictionary.md, written from the table registry.

`python -m lakehouse.data_dictionary FILE` writes it; a test holds the committed one against it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from lakehouse.settings import Settings, load_settings
from lakehouse.tables import Table, registry

HEAD = """# Data dictionary

Written by `make docs` from the table registry; change `lakehouse/tables/` or the `.yml` beside a
dbt model, not this page. Times are UTC. The six bronze candle tables differ in timeframe only.
"""


def data_dictionary(settings: Settings) -> str:
    """The page as Markdown; one section a table."""
    return "\n".join([HEAD, *(line for table in _shown() for line in _section(table, settings))])


def _shown() -> Iterator[Table]:
    seen: set[tuple[str, str]] = set()
    for table in registry().values():
        shape = (table.layer, table.ddl)
        if shape not in seen:
            yield table
        seen.add(shape)


def _section(table: Table, settings: Settings) -> Iterator[str]:
    name = table.full_name
    if table.timeframe:
        name = name.removesuffix(table.timeframe) + "{1m,5m,15m,1h,4h,1d}"
    hours = settings.retention_hours if table.retention_hours is None else table.retention_hours
    tolerance = settings.tolerance if table.tolerance is None else table.tolerance
    yield f"## {name}\n"
    yield f"{table.grain[0].upper()}{table.grain[1:]}.\n"
    yield f"- Key: {_listed(table.keys)}"
    yield f"- Partitioned by: {_listed(table.partition_by) or 'nothing'}"
    yield f"- Owner: {table.owner}; history kept {hours:g} h; tolerance {tolerance:.0%}\n"
    yield "| column | type | meaning |"
    yield "|---|---|---|"
    for column in table.columns:
        meaning = column.description.replace("|", "\\|")
        yield f"| `{column.name}` | {column.type} | {meaning} |"
    yield ""


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(data_dictionary(load_settings()))
