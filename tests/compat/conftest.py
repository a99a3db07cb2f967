"""Databases of a site on django-oauth-toolkit: empty, or filled by the real thing."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psycopg
import pytest
from jwcrypto.jwk import JWK

from tests.compat.peer import IndexUnreachableError, peer_python
from tests.compat.sites import Rows, Site, postgresql_database
from tests.servers import ServerMissing, Servers


class NewSite(Protocol):
    """Makes a site on a database of its own: an empty one, or a copy of another site's."""

    def __call__(self, template: Site | None = None) -> Site: ...


@dataclass(frozen=True, kw_only=True)
class FilledSite:
    """A site that the toolkit made and filled; `facts` is what the site's clients know."""

    site: Site
    facts: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Takeover(FilledSite):
    """A filled site that this project migrated; `before` and `after` are the rows around the migration."""

    before: Rows
    after: Rows


@pytest.fixture(scope="session")
def peer() -> Path:
    """The interpreter that has django-oauth-toolkit."""
    try:
        return peer_python()
    except IndexUnreachableError as exc:
        pytest.skip(f"no package index can be reached to install django-oauth-toolkit from: {exc}")


@pytest.fixture(scope="session")
def rsa_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The key that signs the site's ID tokens."""
    path = tmp_path_factory.mktemp("key") / "rsa.pem"
    path.write_bytes(JWK.generate(kty="RSA", size=2048).export_to_pem(private_key=True, password=None))
    return path


@pytest.fixture(scope="session", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def new_site(
    request: pytest.FixtureRequest, peer: Path, rsa_key: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NewSite]:
    """Make sites on databases of one engine; each engine in turn."""
    if request.param == "sqlite":
        directory = tmp_path_factory.mktemp("sites")
        yield lambda template=None: Site(
            database=_sqlite_database(directory, template), peer=peer, rsa_key=rsa_key
        )
        return
    url = _postgresql_url()
    made: list[str] = []

    def make(template: Site | None = None) -> Site:
        made.append(f"site_{uuid.uuid4().hex}")
        copy = f" TEMPLATE {template.database['NAME']}" if template else ""
        _execute(url, f"CREATE DATABASE {made[-1]}{copy}")
        return Site(database=postgresql_database(url, made[-1]), peer=peer, rsa_key=rsa_key)

    yield make
    for name in made:
        _execute(url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def filled_site(new_site: NewSite) -> FilledSite:
    """A database of the toolkit's, to be copied."""
    site = new_site()
    succeed(site.toolkit("django", "migrate", "-v0"))
    return FilledSite(site=site, facts=json.loads(succeed(site.toolkit("takeover_site.fill"))))


@pytest.fixture(scope="module")
def takeover(filled_site: FilledSite, new_site: NewSite) -> Takeover:
    """A database of the toolkit's, taken over."""
    site = new_site(template=filled_site.site)
    before = site.rows()
    succeed(site.ours("django", "migrate", "-v0"))
    return Takeover(site=site, facts=filled_site.facts, before=before, after=site.rows())


def succeed(done: Any) -> str:
    """Return what a command that must succeed printed."""
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)


def _sqlite_database(directory: Path, template: Site | None) -> dict[str, Any]:
    path = directory / f"{uuid.uuid4().hex}.sqlite3"
    if template:
        shutil.copy(template.database["NAME"], path)
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path)}


def _postgresql_url() -> str:
    try:
        return Servers.of_this_run().postgresql_url()
    except ServerMissing as exc:
        pytest.skip(str(exc))


def _execute(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)  # type: ignore[call-overload]
