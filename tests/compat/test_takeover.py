"""A database that the real django-oauth-toolkit 3.4.1 made and filled is taken over in place."""

from __future__ import annotations

from typing import Any

from tests.compat.conftest import NewSite, Takeover, succeed

OWN_COLUMNS: dict[str, dict[str, Any]] = {
    "oauth2_provider_application": {
        "client_jwks": "",
        "client_jwks_uri": "",
        "token_endpoint_auth_method": "",
        "require_pushed_authorization_requests": None,
        "last_used": None,
        "subject_type": "public",
        "sector_identifier_uri": None,
        "registered_grant_types": None,
        "registered_scope": None,
        "client_metadata": None,
    },
    "oauth2_provider_grant": {
        "redeemed": None,
        "token_family": None,
        "token_checksum": "",
        "authentication": None,
    },
    "oauth2_provider_accesstoken": {"authentication": None},
    "oauth2_provider_refreshtoken": {"scope": None, "authentication": None},
    "oauth2_provider_devicegrant": {"resource": None, "redeemed": None, "authentication": None},
}
"""Columns beyond 3.4.1, with what a row that was there before gets."""
CHANGED_ROWS = {
    "oauth2_provider_refreshtoken",  # loses duplicates
    "oauth2_provider_accesstoken",  # loses pointers to them
    "django_content_type",  # gain what is new
    "auth_permission",
}
SQUASH_OF_3_4_1 = "0004_squashed_0022_refreshtoken_token_family_index"
SQUASH_OF_NEXT = "0023_squashed_0025_pushed_authorization_requests"


def test_every_row_is_there_after_the_takeover_as_it_was_before(takeover: Takeover) -> None:
    for table, rows in takeover.before.items():
        if table not in CHANGED_ROWS:
            assert takeover.after[table] == [{**row, **OWN_COLUMNS.get(table, {})} for row in rows], table


def test_every_table_of_the_toolkit_held_something_to_lose(takeover: Takeover) -> None:
    tables = ("accesstoken", "refreshtoken", "idtoken", "grant", "devicegrant", "application")

    assert [table for table in tables if not takeover.before[f"oauth2_provider_{table}"]] == []


def test_of_refresh_tokens_with_one_checksum_the_newest_live_one_stays(takeover: Takeover) -> None:
    before, after = (rows["oauth2_provider_refreshtoken"] for rows in (takeover.before, takeover.after))
    doubled = [row for row in before if row["token"] == "doubled"]
    keep = max((row for row in doubled if row["revoked"] is None), key=lambda row: row["id"])

    assert len(doubled) == 3
    own = OWN_COLUMNS["oauth2_provider_refreshtoken"]
    assert after == [{**row, **own} for row in before if row["token"] != "doubled" or row == keep]


def test_access_tokens_only_lose_their_pointer_to_a_removed_duplicate(takeover: Takeover) -> None:
    kept = {row["id"] for row in takeover.after["oauth2_provider_refreshtoken"]}

    def without_dangling_source(row: dict[str, Any]) -> dict[str, Any]:
        source = row["source_refresh_token_id"]
        own = OWN_COLUMNS["oauth2_provider_accesstoken"]
        return {**row, **own, "source_refresh_token_id": source if source in kept else None}

    before = takeover.before["oauth2_provider_accesstoken"]
    after = takeover.after["oauth2_provider_accesstoken"]
    assert after == [without_dangling_source(row) for row in before]
    sources = [[row["source_refresh_token_id"] for row in rows] for rows in (before, after)]
    assert sum(old != new for old, new in zip(*sources, strict=True)) == 2


def test_a_second_migrate_has_nothing_to_do_and_the_models_are_up_to_date(takeover: Takeover) -> None:
    assert "No migrations to apply" in succeed(takeover.site.ours("django", "migrate"))
    assert "No changes detected" in succeed(takeover.site.ours("django", "makemigrations", "--check"))
    assert takeover.site.migrations() >= {SQUASH_OF_3_4_1, SQUASH_OF_NEXT}


def test_a_taken_over_database_has_the_schema_of_a_fresh_one(takeover: Takeover, new_site: NewSite) -> None:
    fresh = new_site()
    succeed(fresh.ours("django", "migrate", "-v0"))

    assert takeover.site.schema() == fresh.schema()


def test_the_first_migrations_make_the_schema_of_the_toolkit_name_by_name(new_site: NewSite) -> None:
    ours, toolkit = new_site(), new_site()
    succeed(ours.ours("django", "migrate", "-v0", "oauth2_provider", SQUASH_OF_3_4_1))
    succeed(toolkit.toolkit("django", "migrate", "-v0", "oauth2_provider"))

    assert ours.schema() == toolkit.schema()


def test_a_database_at_the_toolkits_unreleased_migrations_needs_only_our_own(new_site: NewSite) -> None:
    site = new_site()
    succeed(site.ours("django", "migrate", "-v0", "oauth2_provider", SQUASH_OF_NEXT))
    site.execute("DELETE FROM django_migrations WHERE app = 'oauth2_provider' AND name LIKE '%squashed%'")
    assert max(site.migrations()) == "0025_pushed_authorization_requests"

    applied = succeed(site.ours("django", "migrate", "oauth2_provider"))

    assert "Applying oauth2_provider.c" in applied
    assert "Applying oauth2_provider.0" not in applied
