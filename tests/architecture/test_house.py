"""The house rules: who imports whom, how long a file is, what a wheel holds."""

from __future__ import annotations

import ast
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from oauth2_provider.settings import DEFAULTS

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("oauth2_provider", "maintenance", "worker")
LONGEST_FILE = 400
TABLES_OF_DEFAULTS = {"oauth2_provider/settings.py"}


def sources() -> Iterator[Path]:
    for package in PACKAGES:
        yield from (file for file in (ROOT / package).rglob("*.py") if "migrations" not in file.parts)


def test_the_import_contracts_hold() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_no_file_is_longer_than_a_noun_needs() -> None:
    lengths = {str(file.relative_to(ROOT)): len(file.read_text().splitlines()) for file in sources()}
    too_long = {name for name, length in lengths.items() if length > LONGEST_FILE}
    assert too_long <= TABLES_OF_DEFAULTS


def test_every_module_says_what_lives_in_it() -> None:
    silent = [
        str(file.relative_to(ROOT))
        for file in sources()
        if file.read_text().strip() and ast.get_docstring(ast.parse(file.read_text())) is None
    ]
    assert silent == []


def test_defaults_hold_no_functions() -> None:
    assert [name for name, value in DEFAULTS.items() if callable(value)] == []


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    directory = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--installer", "uv", "--outdir", directory, ROOT],
        check=True,
        capture_output=True,
    )
    return zipfile.ZipFile(next(directory.glob("*.whl"))).namelist()


def test_a_wheel_holds_both_apps_whole(wheel: list[str]) -> None:
    tops = {name.split("/")[0] for name in wheel if not name.split("/")[0].endswith(".dist-info")}
    assert tops == {"oauth2_provider", "maintenance"}
    for package in tops:
        wanted = {
            str(file.relative_to(ROOT))
            for file in (ROOT / package).rglob("*")
            if file.is_file() and "__pycache__" not in file.parts
        }
        assert wanted <= set(wheel)
        assert f"{package}/py.typed" in wheel
        assert any(name.startswith(f"{package}/migrations/0001") for name in wheel)
        assert any(name.startswith(f"{package}/templates/") for name in wheel)
