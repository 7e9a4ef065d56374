"""Suites: what the YAML files under `expectations/` say, checked before anything runs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lakehouse.errors import InvalidSuite, UnknownTable
from lakehouse.places import PROJECT
from lakehouse.yaml_files import read_yaml

EXPECTATIONS = PROJECT / "expectations"
MOST_EXPECTATIONS = 63  # each is one bit of a bigint
Severity = Literal["fail", "warn"]


class Check(BaseModel):
    """One expectation of a suite, and what its failing means."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    expect: str
    kwargs: dict[str, Any]
    severity: Severity
    reason: str = Field(min_length=3)
    when: Literal["always", "live"] = "always"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it names."""
        named = [self.kwargs.get(key) for key in ("column", "column_A", "column_B")]
        several = [*self.kwargs.get("column_list", []), *self.kwargs.get("column_set", [])]
        return tuple(name for name in (*named, *several) if name)


class _Content(BaseModel):
    model_config = ConfigDict(extra="forbid")

    tables: list[str] = []
    same_row_when_equal: list[str] = []
    expectations: list[Check] = Field(min_length=1, max_length=MOST_EXPECTATIONS)


@dataclass(frozen=True, slots=True, eq=False)
class Suite:
    """A checked file, loaded once: no other equals it. `tables` are full names; `name` is that of
    the file, with its layer."""

    name: str
    path: Path
    tables: tuple[str, ...]
    checks: tuple[Check, ...]
    same_row_when_equal: tuple[str, ...]

    def wrong(self, problem: str) -> InvalidSuite:
        return InvalidSuite(path=self.path, problem=problem)


@lru_cache
def load_suite(path: Path) -> Suite:
    """The suite of that file. Raises InvalidSuite, naming it."""
    content = _content(path)
    name = f"{path.parent.name}.{path.stem}"
    suite = Suite(
        name=name,
        path=path,
        tables=tuple(content.tables) or (name,),
        checks=tuple(content.expectations),
        same_row_when_equal=tuple(content.same_row_when_equal),
    )
    _refuse_repeated_reasons(suite)
    return suite


def _content(path: Path) -> _Content:
    try:
        return _Content.model_validate(read_yaml(path))
    except (OSError, yaml.YAMLError) as error:
        raise InvalidSuite(path=path, problem=f"it cannot be read ({error})") from None
    except ValidationError as error:
        raise InvalidSuite(path=path, problem=_first_problem(error)) from None


def _first_problem(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}"


def _refuse_repeated_reasons(suite: Suite) -> None:
    # A row's reasons are all that is kept of what it broke, so each must lead back to one check.
    seen: set[str] = set()
    for check in suite.checks:
        if check.reason in seen:
            raise suite.wrong(f"two expectations have the reason {check.reason!r}")
        seen.add(check.reason)


def load_suites(folder: Path = EXPECTATIONS) -> list[Suite]:
    """All suites. Raises InvalidSuite, naming the first that is wrong."""
    return [load_suite(path) for path in sorted(folder.glob("*/*.yml"))]


@lru_cache
def suite_of(table: str, folder: Path = EXPECTATIONS) -> Suite:
    """The suite that guards a table (`bronze.raw_market_data_1m`) or bears that name.

    Raises UnknownTable when there is none, InvalidSuite when a file is wrong.
    """
    suites = load_suites(folder)
    for suite in suites:
        if table == suite.name or table in suite.tables:
            return suite
    known = ", ".join(name for suite in suites for name in suite.tables)
    raise UnknownTable(table=table, known=known)
