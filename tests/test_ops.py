from concurrent.futures import ThreadPoolExecutor

from lakehouse import ops
from lakehouse.settings import Settings

MARK = {"table": "bronze.t", "asset_pair": "BTCUSD", "timeframe": "1h", "provider": "kraken"}


def test_a_table_that_was_never_written_is_empty(settings: Settings) -> None:
    assert ops.read(settings, "ops.outcomes").num_rows == 0


def test_appended_rows_are_read_back_with_nulls_where_they_said_nothing(settings: Settings) -> None:
    ops.append(settings, "ops.outcomes", [{"run_id": "a", "step": "gate", "rows_in": 3}])
    (row,) = ops.read(settings, "ops.outcomes").to_pylist()
    assert (row["run_id"], row["rows_in"], row["error"]) == ("a", 3, None)


def test_an_upsert_replaces_the_row_with_the_same_keys(settings: Settings) -> None:
    first, second = ops.now(), ops.now()
    ops.upsert(settings, "ops.watermarks", [{**MARK, "watermark": first}])
    ops.upsert(settings, "ops.watermarks", [{**MARK, "watermark": second}])
    ops.upsert(settings, "ops.watermarks", [{**MARK, "timeframe": "1m", "watermark": first}])
    rows = ops.read(settings, "ops.watermarks").to_pylist()
    assert {row["timeframe"]: row["watermark"] for row in rows} == {"1h": second, "1m": first}


def test_writers_at_the_same_time_lose_nothing(settings: Settings) -> None:
    ops.append(settings, "ops.runs", [{"run_id": "first"}])
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: ops.append(settings, "ops.runs", [{"run_id": str(n)}]), range(24)))
    assert ops.read(settings, "ops.runs").num_rows == 25
