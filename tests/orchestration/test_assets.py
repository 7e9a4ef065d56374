"""Which tables a task says it has written."""

from __future__ import annotations

from lakehouse.tables import built_tables
from orchestration.assets import assets_of


def test_nobody_waits_for_a_table_that_only_a_stream_writes() -> None:
    # refresh_gold_marts begins when all of silver was written.
    names = {asset.name for asset in assets_of("silver", "gold")}
    assert names == {table.full_name for table in built_tables()}
