"""What the documents say exists: commands, options, make targets, errors, links, columns."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from lakehouse import Lakehouse, errors
from lakehouse.cli.commands import application
from lakehouse.data_dictionary import data_dictionary
from lakehouse.errors import LakehouseError
from lakehouse.places import PROJECT
from lakehouse.settings import (
    AirflowOptions,
    Alerts,
    BackupOptions,
    GapOptions,
    KafkaOptions,
    Provider,
    ReleaseOptions,
    SimulatedExchange,
    SparkOptions,
    StreamOptions,
    TickerPoll,
    Topic,
    TradeFeed,
    load_settings,
)

README = PROJECT / "README.md"
RUNBOOK = PROJECT / "docs" / "runbook.md"
DECISIONS = sorted((PROJECT / "docs" / "decisions").glob("*.md"))
DEPLOY = PROJECT / "docs" / "deploy.md"
TOPICS = [
    PROJECT / "docs" / f"{topic}.md"
    for topic in ("gaps", "releases", "knowledge", "explain", "backup", "engines", "performance")
]
PAGES = [README, PROJECT / "CHANGELOG.md", RUNBOOK, DEPLOY, *TOPICS, *DECISIONS]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(lakehouse [^`]+)`")
PLACEHOLDERS = {"…", "TABLE"}
# The sections of the settings that variables in the documents reach into.
SECTIONS = {
    "BACKUP": {*BackupOptions.model_fields},
    "GAPS": {*GapOptions.model_fields},
    "RELEASES": {*ReleaseOptions.model_fields},
    "AIRFLOW": {*AirflowOptions.model_fields, *Alerts.model_fields},
    "KAFKA": {*KafkaOptions.model_fields, *Topic.model_fields},
    "PROVIDERS": {*Provider.model_fields},
    "SIMULATED": {*SimulatedExchange.model_fields},
    "SPARK": {*SparkOptions.model_fields},
    "STREAMS": {
        *StreamOptions.model_fields,
        *TradeFeed.model_fields,
        *TickerPoll.model_fields,
    },
}


def fenced(page: Path, language: str) -> list[str]:
    return [body for name, body in FENCE.findall(page.read_text()) if name == language]


def shown_commands(page: Path) -> Iterator[list[str]]:
    """Argument lists of the `lakehouse` commands of a page's consoles; quotes may span lines."""
    for body in fenced(page, "console"):
        for line in re.findall(r"^\$ (lakehouse (?:\"[^\"]*\"|'[^']*'|[^\n\"'])*)", body, re.M):
            yield shlex.split(line, comments=True)[1:]


def mentioned_commands(page: Path) -> Iterator[list[str]]:
    prose = FENCE.sub("", page.read_text())
    for text in INLINE.findall(prose):
        yield [part for part in shlex.split(text)[1:] if part not in PLACEHOLDERS]


def parse(arguments: list[str]) -> None:
    """Parse as the command line would, and run nothing."""
    command, name, rest = typer.main.get_command(application()), "lakehouse", arguments
    while hasattr(command, "commands"):
        name, rest = rest[0], rest[1:]
        assert name in command.commands, f"there is no command {' '.join(arguments)}"
        command = command.commands[name]
    command.make_context(name, list(rest))


def known_options(arguments: list[str]) -> tuple[set[str], list[str]]:
    command, rest = typer.main.get_command(application()), arguments
    while hasattr(command, "commands") and rest:
        assert rest[0] in command.commands, f"there is no command {' '.join(arguments)}"
        command, rest = command.commands[rest[0]], rest[1:]
    return {
        option
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }, rest


@pytest.mark.parametrize("page", [README, RUNBOOK], ids=lambda page: page.name)
def test_every_command_shown_can_be_typed_as_it_stands(page: Path) -> None:
    commands = list(shown_commands(page))
    assert len(commands) >= 5
    for arguments in commands:
        if "…" not in arguments:
            parse(arguments)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_option_mentioned_exists(page: Path) -> None:
    for arguments in mentioned_commands(page):
        options, rest = known_options(arguments)
        for part in rest:
            assert not part.startswith("--") or part in options, " ".join(arguments)


def test_every_make_target_named_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        named = set(re.findall(r"(?:`|\$ |`LAKEHOUSE__\S+ )make ([a-z]+)", page.read_text()))
        assert named <= targets, page.name
    assert {"backfill", "test"} <= set(re.findall(r"^\$ make (\w+)", README.read_text(), re.M))


def all_errors(kind: type[LakehouseError] = LakehouseError) -> Iterator[type[LakehouseError]]:
    for child in kind.__subclasses__():
        yield child
        yield from all_errors(child)


ERRORS = list(all_errors())


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_the_runbook_has_a_place_for_the_error(error: type[LakehouseError]) -> None:
    assert re.search(rf"\b{error.__name__}\b", RUNBOOK.read_text())


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_the_runbook_quotes_the_error_in_the_words_a_user_sees(
    error: type[LakehouseError],
) -> None:
    if "template" not in vars(error):
        return
    first_sentence = re.split(r"(?<=[.?])\s", error.template)[0]
    pieces = [re.escape(piece) for piece in re.split(r"\{[^}]*\}", first_sentence)]
    text = " ".join(RUNBOOK.read_text().split())
    assert re.search(".{1,200}?".join(pieces), text), first_sentence


def test_the_tree_drawn_in_errors_names_every_class() -> None:
    drawn = errors.__doc__ or ""
    missing = [e.__name__ for e in ERRORS if not re.search(rf"\b{e.__name__}\b", drawn)]
    assert missing == []


def test_the_data_dictionary_is_what_the_registry_gives() -> None:
    page = PROJECT / "docs" / "data_dictionary.md"
    assert page.read_text() == data_dictionary(load_settings()), "run `make docs`"


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_between_documents_resolves(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text()):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def test_decisions_are_numbered_without_gaps_and_say_what_they_cost() -> None:
    numbers = [int(page.name[:4]) for page in DECISIONS]
    assert numbers == list(range(1, len(numbers) + 1))
    for page in DECISIONS:
        headings = re.findall(r"^## (.+)$", page.read_text(), re.MULTILINE)
        assert headings == ["Context", "Decision", "What it costs"], page.name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_of_the_tree_that_is_named_exists(page: Path) -> None:
    folders = r"dags|orchestration|lakehouse|spark_jobs|dbt|expectations|conf|docs|benchmarks|tests"
    for name in re.findall(rf"`((?:{folders})/[\w./-]+\.\w+)`", page.read_text()):
        assert (PROJECT / name).exists(), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_variable_named_is_a_setting(page: Path) -> None:
    settings = load_settings()
    for name in re.findall(r"LAKEHOUSE__([A-Z_]+)", page.read_text()):
        first, *rest = name.split("__")
        assert hasattr(settings, first.lower()), name
        if rest:
            assert rest[-1].lower() in SECTIONS[first], name


def test_the_python_shown_uses_methods_that_exist() -> None:
    source = "\n".join(fenced(README, "python"))
    called = {
        node.func.attr
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and getattr(node.func.value, "id", "") == "lake"
    }
    assert called
    assert all(hasattr(Lakehouse, name) for name in called)
