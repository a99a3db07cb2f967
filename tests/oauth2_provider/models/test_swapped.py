"""A site's own models in the place of the provider's: migrations come about, run and are complete."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SITE = ROOT / "tests" / "oauth2_provider" / "swapped_site"
ALL = [
    "Application",
    "Grant",
    "IDToken",
    "AccessToken",
    "RefreshToken",
    "DeviceGrant",
    "PushedAuthorizationRequest",
]


@pytest.mark.parametrize(
    "swapped",
    [
        ["Application"],
        ["Grant"],
        ["IDToken"],
        ["AccessToken", "RefreshToken"],
        ["AccessToken", "RefreshToken", "IDToken"],
        ["DeviceGrant"],
        ["PushedAuthorizationRequest"],
        ALL,
    ],
    ids=",".join,
)
def test_swapped_models_migrate_and_work(swapped: list[str], tmp_path: Path) -> None:
    """Access and refresh tokens point at each other: they are swapped together."""
    shutil.copytree(SITE, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))

    done = subprocess.run(
        [sys.executable, "-m", "exercise"],
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "DJANGO_SETTINGS_MODULE": "settings",
            "SWAPPED": ",".join(swapped),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "tables": {
            name: f"{'house' if name in swapped else 'oauth2_provider'}_{name.lower()}" for name in ALL
        },
        "changes": "No changes detected",
    }
