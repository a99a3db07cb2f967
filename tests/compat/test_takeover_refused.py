"""A database that stands where it cannot be taken over from is left alone, with one error that says why."""

from __future__ import annotations

import pytest

from tests.compat.conftest import NewSite, succeed

OLDER = {
    "0013_alter_application_authorization_grant_type_device": "3.2",
    "0014_alter_help_text": "3.3",
}


@pytest.mark.parametrize("migration", OLDER)
def test_a_database_of_an_older_toolkit_is_refused_and_not_changed(new_site: NewSite, migration: str) -> None:
    site = new_site()
    succeed(site.toolkit("django", "migrate", "-v0", "oauth2_provider", migration))
    before = site.schema(), site.rows(), site.migrations()

    refused = site.ours("django", "migrate")

    assert refused.returncode == 1
    assert refused.stderr.count("oauth2_provider.E0") == 1
    assert (
        f"(oauth2_provider.E020) Database 'default' stands at {migration} of django-oauth-toolkit, "
        "below 3.4.1 (0022_refreshtoken_token_family_index)." in refused.stderr
    )
    assert "Install django-oauth-toolkit==3.4.1 in place of this project" in refused.stderr
    assert (site.schema(), site.rows(), site.migrations()) == before


def test_doing_what_the_refusal_says_takes_the_database_over(new_site: NewSite) -> None:
    site = new_site()
    succeed(site.toolkit("django", "migrate", "-v0", "oauth2_provider", "0012_add_token_checksum"))
    assert site.ours("django", "migrate").returncode == 1

    succeed(site.toolkit("django", "migrate", "-v0", "oauth2_provider"))

    succeed(site.ours("django", "migrate", "-v0"))
    assert "No migrations to apply" in succeed(site.ours("django", "migrate"))


@pytest.mark.parametrize(
    "applied", [["0023_refreshtoken_unique_token_checksum"], ["0024_application_client_assertion_fields"]]
)
def test_a_database_between_two_releases_is_refused_and_not_changed(
    new_site: NewSite, applied: list[str]
) -> None:
    site = new_site()
    succeed(site.toolkit("django", "migrate", "-v0", "oauth2_provider"))
    for name in applied:
        site.execute(
            "INSERT INTO django_migrations (app, name, applied) "
            f"VALUES ('oauth2_provider', '{name}', '2026-01-01 00:00:00+00:00')"
        )
    before = site.schema(), site.rows(), site.migrations()

    refused = site.ours("django", "migrate")

    assert refused.returncode == 1
    assert refused.stderr.count("oauth2_provider.E0") == 1
    assert (
        f"(oauth2_provider.E021) Database 'default' stands at {applied[-1]} of django-oauth-toolkit, "
        "between two releases." in refused.stderr
    )
    assert (site.schema(), site.rows(), site.migrations()) == before
