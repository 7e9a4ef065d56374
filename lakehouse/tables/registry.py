"""Where the registry's entries come from, and finding one.

Bronze and ops tables are declared here. Silver and gold are declared by their dbt models: the
`.yml` beside a model carries its columns, contract and upkeep, and this module reads it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from lakehouse.errors import UnknownTable
from lakehouse.places import PROJECT
from lakehouse.tables.candles import bronze_candles
from lakehouse.tables.ledgers import LEDGERS
from lakehouse.tables.ops import OPS
from lakehouse.tables.streamed import STREAMED
from lakehouse.tables.table import Column, Table
from lakehouse.timeframes import TIMEFRAMES
from lakehouse.yaml_files import read_yaml

DBT_MODELS = PROJECT / "dbt" / "models"
LAYERS = ("bronze", "silver", "gold", "ops")
BUILT_LAYERS = ("silver", "gold")
REF = re.compile(r"\bref\('(\w+)'\)")


def _from_dbt(layer: str, path: Path) -> list[Table]:
    models: list[dict[str, Any]] = read_yaml(path).get("models", [])
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
        is_row_per_moment=meta.get("is_row_per_moment", False),
    )


def _layer_of(model: str) -> str | None:
    """Silver or gold; None for a model that is no table."""
    layers = (layer for layer in BUILT_LAYERS if (DBT_MODELS / layer / f"{model}.sql").exists())
    return next(layers, None)


@lru_cache
def registry() -> dict[str, Table]:
    """Every table by its full name, e.g. `silver.market_data_enriched`; bronze first."""
    tables = [*(bronze_candles(timeframe) for timeframe in TIMEFRAMES), *STREAMED]
    for layer in BUILT_LAYERS:
        for path in sorted((DBT_MODELS / layer).glob("*.yml")):
            tables += _from_dbt(layer, path)
    return {table.full_name: table for table in (*tables, *OPS, *LEDGERS)}


def table_named(name: str) -> Table:
    """The table of that full name. Raises UnknownTable."""
    try:
        return registry()[name]
    except KeyError:
        raise UnknownTable(table=name, known=", ".join(registry())) from None


def bronze_table(timeframe: str) -> Table:
    return table_named(f"bronze.raw_market_data_{timeframe}")


def built_tables() -> list[Table]:
    """Every silver and gold table that dbt builds."""
    tables = registry().values()
    return [table for table in tables if table.layer in BUILT_LAYERS and not table.is_streamed]


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
