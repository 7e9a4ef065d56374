"""The shape of the tree: imports point one way, modules and functions stay small."""

import ast
from collections.abc import Iterator
from pathlib import Path

from lakehouse.places import PROJECT

ABOVE = {
    "lakehouse": ("dags", "orchestration", "spark_jobs", "airflow"),
    "spark_jobs": ("dags", "orchestration", "airflow"),
    "orchestration": ("dags",),
    "dags": ("dags", *(path.stem for path in (PROJECT / "dags").glob("*.py"))),
}
# Engine, GX and dbt take seconds to import; a command that needs none of them must not wait.
SLOW = ("great_expectations", "dbt", "ccxt", "sqlglot", "exchange_calendars", "openlineage")
IMPORTED_LATE = ("conditions.py", "configured.py", "docs_index.py")  # of the gate, with GX


def modules(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in sorted((PROJECT / folder).rglob("*.py"))]
    assert found
    return found


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def is_type_checking(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"


def imported_at_once(path: Path) -> Iterator[str]:
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import | ast.ImportFrom) and not is_type_checking(node):
            yield from imported(node)


def test_nothing_imports_upward() -> None:
    upward = [
        f"{path.relative_to(PROJECT)} imports {name}"
        for folder, forbidden in ABOVE.items()
        for path in modules(folder)
        for name in imported(ast.parse(path.read_text()))
        if name.split(".")[0] in forbidden
    ]
    assert upward == []


def test_modules_have_at_most_400_lines_and_functions_at_most_50() -> None:
    too_long = []
    for path in modules("lakehouse", "spark_jobs", "orchestration", "dags", "tests"):
        text = path.read_text()
        if text.count("\n") > 400:
            too_long.append(path.name)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno > 50:
                too_long.append(f"{path.name}: {node.name}")
    assert too_long == []


def test_slow_libraries_are_imported_only_when_they_are_needed() -> None:
    eager = [
        f"{path.relative_to(PROJECT)} imports {name}"
        for path in modules("lakehouse")
        for name in imported_at_once(path)
        if name.split(".")[0] in SLOW and path.name not in IMPORTED_LATE
    ]
    assert eager == []


def test_a_dag_file_holds_only_wiring() -> None:
    for path in modules("dags"):
        assert path.read_text().count("\n") < 150, path.name
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno < 15, f"{path.name}: {node.name}"


def test_every_job_has_a_main() -> None:
    for path in modules("spark_jobs"):
        names = {n.name for n in ast.parse(path.read_text()).body if isinstance(n, ast.FunctionDef)}
        assert "main" in names or path.name == "__init__.py"


def test_the_public_interface_is_what_it_says() -> None:
    import lakehouse

    assert lakehouse.__all__ == ["Lakehouse", "LakehouseError", "Settings", "load_settings"]
    assert all(hasattr(lakehouse, name) for name in lakehouse.__all__)
