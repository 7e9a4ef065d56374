"""The table registry: the single source of each table's name, layer, schema, keys and upkeep.

Bronze and ops tables are declared here. Silver and gold are declared by their dbt models: the
`.yml` beside a model carries its columns, contract and upkeep, and this module reads it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import yaml

from lakehouse.errors import UnknownTable
from lakehouse.settings import PROJECT
from lakehouse.timeframes import TIMEFRAMES

DBT_MODELS = PROJECT / "dbt" / "models"
LAYERS = ("bronze", "silver", "gold", "ops")
BUILT_LAYERS = ("silver", "gold")
REF = re.compile(r"\bref\('(\w+)'\)")


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its Spark SQL type, and its meaning with the unit."""

    name: str
    type: str
    description: str


@dataclass(frozen=True, slots=True)
class Table:
    """What the lakehouse knows of a table; no retention or tolerance of its own: the default.

    `reads` names the silver and gold tables that its dbt model is made of.
    """

    layer: str
    name: str
    grain: str
    columns: tuple[Column, ...]
    keys: tuple[str, ...]
    partition_by: tuple[str, ...] = ()
    sort_by: tuple[str, ...] = ()
    owner: str = "market-data"
    retention_hours: float | None = None
    tolerance: float | None = None
    timeframe: str | None = None
    reads: tuple[str, ...] = ()
    is_row_per_candle: bool = False

    @property
    def full_name(self) -> str:
        return f"{self.layer}.{self.name}"

    @property
    def ddl(self) -> str:
        """The schema as Spark SQL: `asset_pair string, …`."""
        return ", ".join(f"{column.name} {column.type}" for column in self.columns)

    def path(self, lake: Path) -> Path:
        return lake / self.layer / self.name


CANDLE = (
    Column("asset_pair", "string", "Base and quote with nothing between, e.g. BTCUSD"),
    Column("timestamp", "timestamp", "Opening time of the candle, UTC"),
    Column("open", "double", "First price, in the quote currency"),
    Column("high", "double", "Highest price, in the quote currency"),
    Column("low", "double", "Lowest price, in the quote currency"),
    Column("close", "double", "Last price, in the quote currency"),
    Column("volume", "double", "Traded amount, in the base currency"),
    Column("provider", "string", "Who said so"),
    Column("timeframe", "string", "Length of the candle: 1m, 5m, 15m, 1h, 4h or 1d"),
    Column("ingested_at", "timestamp", "When the lakehouse landed it, UTC"),
    Column("batch_id", "string", "The batch it came with; see ops.progress"),
    Column("partition_date", "date", "Day of `timestamp`, UTC"),
    Column("partition_asset_pair", "string", "Same as asset_pair; the table's partitions"),
)

RANGE = (
    Column("asset_pair", "string", "Asset"),
    Column("timeframe", "string", "Timeframe"),
    Column("provider", "string", "Provider that was asked"),
)


def _bronze_candles(timeframe: str) -> Table:
    return Table(
        layer="bronze",
        name=f"raw_market_data_{timeframe}",
        grain="one row per candle and version of it that a provider sent",
        columns=CANDLE,
        keys=("asset_pair", "timestamp", "provider", "ingested_at"),
        partition_by=("partition_asset_pair",),
        sort_by=("timestamp",),
        timeframe=timeframe,
    )


OPS = (
    Table(
        layer="ops",
        name="progress",
        grain="one row per attempt at a window of an asset and timeframe; the last counts",
        columns=(
            *RANGE,
            Column("window_start", "timestamp", "Start of the window, inclusive, UTC"),
            Column("window_end", "timestamp", "End of the window, exclusive, UTC"),
            Column("status", "string", "landed, quarantined, rejected or failed"),
            Column("served_by", "string", "Provider that answered"),
            Column("batch_id", "string", "Batch the rows came with"),
            Column("run_id", "string", "Run that did it"),
            Column("rows_fetched", "bigint", "Rows the provider sent for the window"),
            Column("error", "string", "Why it failed, if it did"),
            Column("recorded_at", "timestamp", "When, UTC"),
        ),
        keys=("asset_pair", "timeframe", "provider", "window_start", "window_end", "recorded_at"),
    ),
    Table(
        layer="ops",
        name="watermarks",
        grain="one row per table, asset, timeframe and provider",
        columns=(
            Column("table", "string", "Bronze table"),
            *RANGE,
            Column("watermark", "timestamp", "Everything before it was landed, UTC"),
            Column("updated_at", "timestamp", "When it moved last, UTC"),
        ),
        keys=("table", "asset_pair", "timeframe", "provider"),
    ),
    Table(
        layer="ops",
        name="runs",
        grain="one row per change of state of a backfill run; the last counts",
        columns=(
            Column("run_id", "string", "Run"),
            Column("status", "string", "running, finished or failed"),
            Column("request", "string", "What was asked, as JSON"),
            Column("recorded_at", "timestamp", "When, UTC"),
        ),
        keys=("run_id", "recorded_at"),
    ),
    Table(
        layer="ops",
        name="outcomes",
        grain="one row per step that ran",
        columns=(
            Column("run_id", "string", "Run or build"),
            Column("step", "string", "land, gate, publish, dbt, …"),
            Column("subject", "string", "Table, model or batch the step worked on"),
            Column("status", "string", "success or error"),
            Column("started_at", "timestamp", "Start, UTC"),
            Column("duration_seconds", "double", "How long it took"),
            Column("rows_in", "bigint", "Rows read"),
            Column("rows_out", "bigint", "Rows written"),
            Column("rows_rejected", "bigint", "Rows in dead letters"),
            Column("version", "bigint", "Table version written"),
            Column("error", "string", "What went wrong, if anything"),
        ),
        keys=("run_id", "step", "subject", "started_at"),
    ),
    Table(
        layer="ops",
        name="quality_results",
        grain="one row per gate, batch and expectation",
        columns=(
            Column("run_id", "string", "Run or build"),
            Column("table", "string", "Table the gate guards"),
            Column("batch_id", "string", "Batch that was checked"),
            Column("expectation", "string", "Type of the expectation"),
            Column("reason", "string", "What its failing means"),
            Column("severity", "string", "fail or warn"),
            Column("is_success", "boolean", "Whether it held"),
            Column("rows_checked", "bigint", "Rows in the batch"),
            Column("rows_unexpected", "bigint", "Rows that broke it"),
            Column("checked_at", "timestamp", "When, UTC"),
        ),
        keys=("run_id", "table", "batch_id", "expectation", "reason"),
    ),
    Table(
        layer="ops",
        name="table_builds",
        grain="one row per table and change of what it holds; the last of each status counts",
        columns=(
            Column("build_id", "string", "Build"),
            Column("table", "string", "Silver or gold table"),
            Column("status", "string", "written, gated, refused or restarted"),
            Column("bronze_versions", "string", "Bronze table versions that are in it, as JSON"),
            Column("version_before", "bigint", "Version of the table that a refusal goes back to"),
            Column("built_at", "timestamp", "Rows updated later were not in it yet, UTC"),
            Column("recorded_at", "timestamp", "When, UTC"),
        ),
        keys=("build_id", "table", "recorded_at"),
    ),
    Table(
        layer="ops",
        name="arrivals",
        grain="one row per build, asset and timeframe that bronze brought news of",
        columns=(
            Column("build_id", "string", "Build that takes them in"),
            Column("asset_pair", "string", "Asset"),
            Column("timeframe", "string", "Timeframe"),
            Column("since", "timestamp", "First candle that arrived, UTC"),
            Column("lookback_from", "timestamp", "First settled candle it needs, UTC"),
        ),
        keys=("build_id", "asset_pair", "timeframe"),
    ),
)


def _from_dbt(layer: str, path: Path) -> list[Table]:
    models: list[dict[str, Any]] = yaml.safe_load(path.read_text()).get("models", [])
    refs = tuple(dict.fromkeys(REF.findall(path.with_suffix(".sql").read_text())))
    return [_dbt_table(layer, model, refs) for model in models]


def _dbt_table(layer: str, model: dict[str, Any], refs: tuple[str, ...]) -> Table:
    config = model["config"]
    meta = config["meta"]
    columns = (Column(c["name"], c["data_type"], c["description"]) for c in model["columns"])
    return Table(
        layer=layer,
        name=model["name"],
        grain=meta["grain"],
        columns=tuple(columns),
        keys=tuple(config["unique_key"]),
        partition_by=tuple(config.get("partition_by", ())),
        sort_by=tuple(meta.get("sort_by", ())),
        owner=meta["owner"],
        retention_hours=meta.get("retention_hours"),
        tolerance=meta.get("tolerance"),
        reads=tuple(f"{built}.{ref}" for ref in refs if (built := _layer_of(ref))),
        is_row_per_candle=meta.get("is_row_per_candle", False),
    )


def _layer_of(model: str) -> str | None:
    """Silver or gold; None for a model that is no table."""
    layers = (layer for layer in BUILT_LAYERS if (DBT_MODELS / layer / f"{model}.sql").exists())
    return next(layers, None)


@lru_cache
def registry() -> dict[str, Table]:
    """Every table by its full name, e.g. `silver.market_data_enriched`; bronze first."""
    tables = [_bronze_candles(timeframe) for timeframe in TIMEFRAMES]
    for layer in BUILT_LAYERS:
        for path in sorted((DBT_MODELS / layer).glob("*.yml")):
            tables += _from_dbt(layer, path)
    return {table.full_name: table for table in (*tables, *OPS)}


def table_named(name: str) -> Table:
    """The table of that full name. Raises UnknownTable."""
    try:
        return registry()[name]
    except KeyError:
        raise UnknownTable(table=name, known=", ".join(registry())) from None


def bronze_table(timeframe: str) -> Table:
    return table_named(f"bronze.raw_market_data_{timeframe}")


def built_tables() -> list[Table]:
    """Every silver and gold table."""
    return [table for table in registry().values() if table.layer in BUILT_LAYERS]


@lru_cache
def stages() -> list[list[Table]]:
    """The tables that dbt builds, silver first; none reads another of its stage."""
    order = TopologicalSorter({table.full_name: table.reads for table in built_tables()})
    order.prepare()
    found: list[list[Table]] = []
    while ready := order.get_ready():
        order.done(*ready)
        tables = [table_named(name) for name in sorted(ready)]
        found += [[t for t in tables if t.layer == layer] for layer in BUILT_LAYERS]
    return sorted(filter(None, found), key=lambda stage: BUILT_LAYERS.index(stage[0].layer))
