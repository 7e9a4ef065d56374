"""What is made of what: the tables of the lake, from the registry and the dbt project.

A dbt model names the models and sources it reads; those that are no tables themselves (staging) are
looked through. What streams write, the streams know.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from lakehouse.streams.stream import STREAMS, Stream
from lakehouse.tables import BUILT_LAYERS, Table, registry, table_named
from lakehouse.tables.registry import DBT_MODELS, REF
from lakehouse.yaml_files import read_yaml

# `source('bronze', 'raw_market_data_' ~ timeframe)` names every source that begins so.
SOURCE = re.compile(r"\bsource\('(\w+)',\s*'(\w+)'\s*(~?)")
STAGING = DBT_MODELS / "staging"
SHOWN_LAYERS = ("bronze", *BUILT_LAYERS)


@lru_cache
def tables() -> list[Table]:
    """The tables that hold data rather than records of the lakehouse; bronze first."""
    return [table for table in registry().values() if table.layer in SHOWN_LAYERS]


@lru_cache
def made_of(name: str) -> tuple[str, ...]:
    """Full names of the tables that this one is made of; empty for bronze.

    Raises UnknownTable.
    """
    table = table_named(name)
    if stream := stream_of(table):
        return () if table.layer == "bronze" else (stream.bronze_table,)
    return tuple(dict.fromkeys((*_staged(table), *table.reads)))


def made_from(name: str) -> tuple[str, ...]:
    """Full names of the tables that are made of this one, directly."""
    return tuple(table.full_name for table in tables() if name in made_of(table.full_name))


def below(name: str) -> list[str]:
    """All tables that depend on this one, each after those it is made of."""
    found = dict.fromkeys(made_from(name))
    for table in tuple(found):
        found |= dict.fromkeys(below(table))
    order = [table.full_name for table in tables()]
    return sorted(found, key=lambda table: (_depth(table), order.index(table)))


def above(name: str) -> list[str]:
    """All tables that this one depends on, bronze first."""
    found = dict.fromkeys(made_of(name))
    for table in tuple(found):
        found |= dict.fromkeys(above(table))
    return sorted(found, key=_depth)


def stream_of(table: Table) -> Stream | None:
    """The stream that writes the table, if one does."""
    streams = STREAMS.values()
    return next((s for s in streams if table.full_name in (s.bronze_table, s.silver_table)), None)


def _depth(name: str) -> int:
    return 1 + max((_depth(table) for table in made_of(name)), default=0)


def _staged(table: Table) -> Iterator[str]:
    """The sources of the staging models that the table's own model reads."""
    model = DBT_MODELS / table.layer / f"{table.name}.sql"
    for ref in REF.findall(model.read_text()) if model.exists() else ():
        staging = STAGING / f"{ref}.sql"
        if staging.exists():
            yield from _sources(staging.read_text())


def _sources(sql: str) -> Iterator[str]:
    for layer, name, is_prefix in SOURCE.findall(sql):
        for known in _declared(layer):
            if known == name or (is_prefix and known.startswith(name)):
                yield f"{layer}.{known}"


@lru_cache
def _declared(layer: str) -> tuple[str, ...]:
    sources = read_yaml(STAGING / "sources.yml")["sources"]
    of_layer = (source for source in sources if source["name"] == layer)
    return tuple(table["name"] for source in of_layer for table in source["tables"])
