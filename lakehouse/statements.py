"""What a query names: found by parsing it, so that its text can be changed at these places only."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lakehouse.errors import InvalidQuery
from lakehouse.tables import LAYERS

if TYPE_CHECKING:
    from sqlglot import exp
    from sqlglot.tokenizer_core import Token

DIALECT = "databricks"
CATALOGS = ("", "spark_catalog")
EXPLAIN = re.compile(r"\s*explain\s+((extended|codegen|cost|formatted)\s+)?", re.IGNORECASE)
TELLING = re.compile(r"\s*(show|describe|desc)\b", re.IGNORECASE)
# How the parser names the word it did not expect.
TOKEN = re.compile(r"<Token .*?text: (.*?), line: .*>")
OPENING, CLOSING = "([{", ")]}"


@dataclass(frozen=True, slots=True)
class TableName:
    """A lake table in a query; `end` is the offset after the last letter of its name."""

    name: str
    end: int


@dataclass(frozen=True, slots=True)
class Call:
    """A function in FROM position, from offset `start` to `end`.

    `arguments` are the texts of those without a name, `options` the values of `name => value`.
    `context` is the text of the common table expressions that it may use.
    """

    name: str
    start: int
    end: int
    arguments: tuple[str, ...]
    options: dict[str, Any]
    context: str


class Statement:
    """A query and its syntax tree. Raises InvalidQuery where it has none that can be read."""

    def __init__(self, text: str):
        if word := TELLING.match(text):
            problem = f"{word[1].upper()} tells of the present; ask it without a time or release."
            raise InvalidQuery(problem=problem)
        self.text = text
        explained = EXPLAIN.match(text)
        self._offset = explained.end() if explained else 0
        self._tree, self._tokens = _parsed(text[self._offset :])

    def tables(self) -> list[TableName]:
        """The lake tables it reads, in their order, without those that name a version."""
        found = {name.end: name for name in self._tables()}
        return [found[end] for end in sorted(found)]

    def _tables(self) -> Iterator[TableName]:
        from sqlglot import exp

        for table in self._tree.find_all(exp.Table):
            is_of_lake = table.catalog.lower() in CATALOGS and table.db.lower() in LAYERS
            if is_of_lake and isinstance(table.this, exp.Identifier):
                end = table.this.meta["end"] + 1 + self._offset
                if table.args.get("version") is None and self.text[end : end + 1] != "@":
                    yield TableName(f"{table.db}.{table.name}".lower(), end)

    def calls(self, names: Iterable[str]) -> list[Call]:
        """The calls of these functions in FROM position; an inner one comes before its outer."""
        from sqlglot import exp

        functions = (table.this for table in self._tree.find_all(exp.Table))
        wanted = (
            function
            for function in functions
            if isinstance(function, exp.Anonymous) and function.name.lower() in names
        )
        return sorted((self._call(function) for function in wanted), key=lambda call: call.end)

    def _call(self, function: exp.Anonymous) -> Call:
        from sqlglot import exp

        first = self._token_at(function.meta["start"])
        last = self._closing(first + 1)
        texts = list(self._split(first + 1, last))
        given = list(zip(function.expressions, texts, strict=False))
        return Call(
            name=function.name.lower(),
            start=self._tokens[first].start + self._offset,
            end=self._tokens[last].end + 1 + self._offset,
            arguments=tuple(text for node, text in given if not isinstance(node, exp.Kwarg)),
            options={n.name.lower(): _value(n) for n, _ in given if isinstance(n, exp.Kwarg)},
            context=self._context(function),
        )

    def _context(self, node: exp.Expr) -> str:
        """The WITH clauses around a node, as one, up to the node; an inner name hides an outer."""
        known: dict[str, str] = {}
        is_recursive = False
        for clause, last in _with_clauses(node):
            is_recursive = is_recursive or bool(clause.args.get("recursive"))
            names = {cte.alias: self._cte(cte) for cte in clause.expressions[:last]}
            known = {**{name: names[name] for name in names if name not in known}, **known}
        word = "WITH RECURSIVE" if is_recursive else "WITH"
        return f"{word} {', '.join(known.values())} " if known else ""

    def _cte(self, cte: exp.CTE) -> str:
        first = self._token_at(cte.args["alias"].this.meta["start"])
        opening = next(
            place
            for place in range(first, len(self._tokens))
            if self._tokens[place].text == "(" and self._tokens[place - 1].text.lower() == "as"
        )
        return self._between(first, self._closing(opening) + 1)

    def _token_at(self, start: int) -> int:
        return next(place for place, token in enumerate(self._tokens) if token.start == start)

    def _closing(self, opening: int) -> int:
        """Place of the token that closes the bracket at `opening`."""
        depth = 0
        for place in range(opening, len(self._tokens)):
            depth += _step(self._tokens[place])
            if depth == 0:
                return place
        raise AssertionError("unreachable: what was parsed has its brackets closed")

    def _split(self, opening: int, closing: int) -> Iterator[str]:
        depth, first = 0, opening + 1
        for place in range(opening + 1, closing):
            depth += _step(self._tokens[place])
            if depth == 0 and self._tokens[place].text == ",":
                yield self._between(first, place)
                first = place + 1
        if first < closing:
            yield self._between(first, closing)

    def _between(self, first: int, last: int) -> str:
        """The text of the tokens from `first` up to, not including, `last`."""
        start, end = self._tokens[first].start, self._tokens[last - 1].end + 1
        return self.text[start + self._offset : end + self._offset]


def _with_clauses(node: exp.Expr) -> Iterator[tuple[exp.With, int | None]]:
    """The WITH clauses whose names a node may use, the innermost first, and how many of each."""
    from sqlglot import exp

    around: exp.Expr = node
    while around.parent:
        inner, around = around, around.parent
        clause = around.args.get("with_")
        if isinstance(around, exp.With):
            yield around, around.expressions.index(inner)
        elif clause is not None and clause is not inner:
            yield clause, None


def is_telling(text: str) -> bool:
    """Whether it is SHOW or DESCRIBE, which read no rows."""
    return TELLING.match(text) is not None


def literal(text: str) -> str:
    """The value of an SQL string or of a `timestamp '…'`. Raises InvalidQuery for anything else."""
    import sqlglot
    from sqlglot import exp

    node = sqlglot.parse_one(text, dialect=DIALECT)
    inner = node.this if isinstance(node, exp.Cast) else node
    if isinstance(inner, exp.Literal) and inner.is_string:
        return str(inner.this)
    raise InvalidQuery(problem=f"{text} stands where a text in quotes is needed.")


def replaced(text: str, start: int, end: int, by: str) -> str:
    return text[:start] + by + text[end:]


def _parsed(text: str) -> tuple[exp.Expr, list[Token]]:
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import ParseError, TokenError

    try:
        tokens = sqlglot.tokenize(text, dialect=DIALECT)
        trees = [tree for tree in sqlglot.parse(text, dialect=DIALECT) if tree is not None]
    except (ParseError, TokenError) as error:
        raise InvalidQuery(problem=_unparsed(error)) from error
    if len(trees) != 1:
        raise InvalidQuery(problem=f"it holds {len(trees)} statements; one at a time.")
    if not isinstance(trees[0], exp.Query | exp.Values):
        problem = "only a query can be asked as of a time or a release."
        raise InvalidQuery(problem=problem)
    return trees[0], tokens


def _unparsed(error: Exception) -> str:
    details = (getattr(error, "errors", None) or [{}])[0]
    told = details.get("description") or str(error).splitlines()[0]
    told = TOKEN.sub(r"\1", told)
    place = f" (line {details['line']}, column {details['col']})" if "line" in details else ""
    return (
        "a time, a release, point_in_time and features_as_of need a query that can be parsed, and "
        f"this one cannot: {told}{place}."
    )


def _value(option: exp.Kwarg) -> Any:
    from sqlglot import exp

    value = option.expression
    if isinstance(value, exp.Boolean) or (isinstance(value, exp.Literal) and value.is_string):
        return value.this
    problem = f"{option.sql(DIALECT)}: the value must be a text in quotes, true or false."
    raise InvalidQuery(problem=problem)


def _step(token: Token) -> int:
    return (token.text in OPENING) - (token.text in CLOSING) if len(token.text) == 1 else 0
