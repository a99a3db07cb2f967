"""A site with models of its own is taken over: its app catches up, and its rows stay."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.compat.conftest import succeed
from tests.compat.sites import ROOT

SITE = ROOT / "tests" / "oauth2_provider" / "swapped_site"
INSERT = (
    "INSERT INTO house_application (client_id, redirect_uris, client_type, authorization_grant_type, client_secret, "
    "name, skip_authorization, created, updated, algorithm, post_logout_redirect_uris, hash_client_secret, "
    "allowed_origins, registration_source, tenant) VALUES ('kept', '', 'public', 'implicit', '', '', 0, "
    "'2026-01-01', '2026-01-01', '', '', 1, '', 'manual', 'north')"
)


@pytest.mark.parametrize(
    "swapped",
    ["Application", "Application,Grant,IDToken,AccessToken,RefreshToken,DeviceGrant"],
)
def test_a_site_with_swapped_models_is_taken_over(peer: Path, tmp_path: Path, swapped: str) -> None:
    shutil.copytree(SITE, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    database = tmp_path / "site.sqlite3"

    def run(python: Path | str, *arguments: str, **variables: str) -> str:
        environment = {
            "PATH": os.environ["PATH"],
            "DJANGO_SETTINGS_MODULE": "settings",
            "SWAPPED": swapped,
            "SWAPPED_DATABASE": str(database),
            **variables,
        }
        command = [str(python), "-m", "django", *arguments]
        return succeed(
            subprocess.run(
                command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
            )
        )

    def ours(*arguments: str) -> str:
        return run(sys.executable, *arguments, PYTHONPATH=str(ROOT))

    run(peer, "makemigrations", "house", "-v0")
    run(peer, "migrate", "-v0")
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(INSERT)

    ours("makemigrations", "house", "-v0")
    ours("migrate", "-v0")

    assert "No changes detected" in ours("makemigrations", "--check")
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT client_id, tenant, client_jwks, last_used FROM house_application")
        assert rows.fetchall() == [("kept", "north", "", None)]
