"""A table's columns against those of its model, which may have got more since it was written."""

from __future__ import annotations

from deltalake import DeltaTable

from lakehouse.settings import Settings
from lakehouse.tables import table_named


def lacking_columns(settings: Settings, name: str, version: int | None = None) -> list[str]:
    """The columns that the table's model has got since that version, None being the present one."""
    table = table_named(name)
    stored = DeltaTable(str(table.path(settings.lake)), version=version).schema().fields
    names = {field.name for field in stored}
    return [column.name for column in table.columns if column.name not in names]
