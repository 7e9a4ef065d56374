"""Lineage drawn: where data comes from, and through which steps it gets into which table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lakehouse.lineage.graph import made_of, stream_of, tables
from lakehouse.lineage.runs import FILES, LAKE, Dataset, StepRun
from lakehouse.settings import Settings
from lakehouse.streams.stream import STREAMS
from lakehouse.tables import Table
from lakehouse.timeframes import TIMEFRAMES

# The six tables of candles differ in timeframe only.
CANDLES = f"bronze.raw_market_data_{{{','.join(TIMEFRAMES)}}}"
FETCHED, READ = "fetch, gate, publish", "gate, publish"
STREAMED, BUILT = "stream, gate", "dbt model, gate"
SHAPES = {"source": ('(["', '"])'), "table": ('[("', '")]')}


@dataclass(frozen=True, slots=True)
class Arrow:
    """One thing is made of another by some steps; each is a source or the full name of a table."""

    source: str
    target: str
    steps: str


def arrows(settings: Settings) -> list[Arrow]:
    """The whole lake's lineage, sources first. The tables of candles of bronze are one."""
    found = [Arrow(provider, CANDLES, FETCHED) for provider in settings.providers]
    found.append(Arrow("files", CANDLES, READ))
    for stream in STREAMS.values():
        topic = f"topic {stream.topic(settings).name}"
        found.append(Arrow(topic, stream.bronze_table, STREAMED))
    for table in tables():
        for name in dict.fromkeys(_together(made_of(table.full_name))):
            found.append(Arrow(name, table.full_name, _steps(table)))
    return found


def _together(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        yield CANDLES if name.startswith("bronze.raw_market_data_") else name


def _steps(table: Table) -> str:
    return STREAMED if stream_of(table) else BUILT


def arrows_of(steps: Iterable[StepRun]) -> list[Arrow]:
    """What the steps of a run made of what; how much of it, too."""
    return [
        Arrow(_label(source), _label(target), _done(step))
        for step in steps
        for target in step.outputs
        for source in step.inputs
        if _label(source) != _label(target)
    ]


def _label(dataset: Dataset) -> str:
    is_here = dataset.namespace in (LAKE, FILES)
    return dataset.name if is_here else f"{dataset.namespace} {dataset.name}"


def _done(step: StepRun) -> str:
    rows, version = step.outcome["rows_out"], step.outcome["version"]
    done = f"{step.outcome['step']}: {rows or 0:,} rows"
    return done if version is None else f"{done}, version {version}"


def sources(drawn: Iterable[Arrow]) -> list[str]:
    """What is made of nothing in the drawing."""
    drawn = list(drawn)
    targets = {arrow.target for arrow in drawn}
    return list(dict.fromkeys(arrow.source for arrow in drawn if arrow.source not in targets))


def mermaid(drawn: Iterable[Arrow]) -> str:
    """A flowchart from left to right, for any page that renders Mermaid."""
    drawn = list(drawn)
    outside = sources(drawn)
    names = dict.fromkeys(name for arrow in drawn for name in (arrow.source, arrow.target))
    lines = ["flowchart LR"]
    lines += [_node(name, "source" if name in outside else "table") for name in names]
    lines += [f'    {_id(a.source)} -- "{a.steps}" --> {_id(a.target)}' for a in drawn]
    return "\n".join(lines)


def _node(name: str, kind: str) -> str:
    opening, closing = SHAPES[kind]
    return f"    {_id(name)}{opening}{name}{closing}"


def _id(name: str) -> str:
    return re.sub(r"\W+", "_", name).strip("_")
