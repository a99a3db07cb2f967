"""The conformance tables (docs/conformance-*.md): every test that they name is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
TABLES = sorted((ROOT / "docs").glob("conformance-*.md"))
NAMED = re.compile(r"(?:(?P<file>tests/[\w/]+\.py)::)?(?P<test>\btest_\w+)(?!\w*\.py)")


@cache
def names_in(file: Path) -> frozenset[str]:
    """Return the names of the test functions in `file`, those of classes included."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    tree = ast.walk(ast.parse(file.read_text()))
    return frozenset(
        node.name for node in tree if isinstance(node, functions) and node.name.startswith("test_")
    )


@cache
def all_tests() -> frozenset[str]:
    return frozenset().union(*(names_in(file) for file in (ROOT / "tests").rglob("test_*.py")))


def missing_of(table: str) -> list[str]:
    """Return what `table` names as tests, with or without the file, and is not there."""
    missing = []
    for code in re.findall(r"`([^`\n]+)`", table):
        for found in NAMED.finditer(code):
            file = ROOT / found["file"] if found["file"] else None
            known = all_tests() if file is None else names_in(file) if file.exists() else frozenset()
            if found["test"] not in known:
                missing.append(found[0])
    return missing


@pytest.mark.parametrize("table", TABLES, ids=lambda path: path.name)
def test_every_test_that_a_table_names_is_there(table: Path) -> None:
    text = table.read_text()
    assert "`test_" in text or "::test_" in text
    assert missing_of(text) == []


def test_a_name_that_is_no_test_is_found() -> None:
    here = "tests/architecture/test_conformance.py"
    assert missing_of(f"`{here}::test_every_test_that_a_table_names_is_there`, `{here}`") == []
    wrong = ["test_of_nothing", f"{here}::test_a_code_is_redeemed_once", "tests/none.py::test_x"]
    assert missing_of(", ".join(f"`{name}`" for name in wrong)) == wrong
    assert TABLES != []
