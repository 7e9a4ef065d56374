"""What changed in a table between two of its versions, row by row of its keys."""

from lakehouse.changes.comparing import ColumnChange, TableChanges, changed_rows, table_changes
from lakehouse.changes.naming import version_named

__all__ = ["ColumnChange", "TableChanges", "changed_rows", "table_changes", "version_named"]
