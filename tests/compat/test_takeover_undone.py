"""A site goes back to django-oauth-toolkit 3.4.1 and finds what it left, and what came about meanwhile."""

from __future__ import annotations

import json

from tests.compat.conftest import FilledSite, NewSite, succeed
from tests.compat.test_takeover import OWN_COLUMNS, SQUASH_OF_3_4_1


def test_a_site_that_goes_back_has_the_schema_the_rows_and_the_service_it_had(
    filled_site: FilledSite, new_site: NewSite
) -> None:
    site = new_site(template=filled_site.site)
    schema = site.schema()
    succeed(site.ours("django", "migrate", "-v0"))
    taken_over = site.rows()

    succeed(site.ours("django", "migrate", "-v0", "oauth2_provider", SQUASH_OF_3_4_1))

    assert site.schema() == schema
    rows = site.rows()
    for table in ("accesstoken", "refreshtoken", "idtoken", "devicegrant"):
        own = OWN_COLUMNS.get(f"oauth2_provider_{table}", {})
        kept = taken_over[f"oauth2_provider_{table}"]
        assert [{**row, **own} for row in rows[f"oauth2_provider_{table}"]] == kept
    for table in ("application", "grant"):
        assert rows[f"oauth2_provider_{table}"] == filled_site.site.rows()[f"oauth2_provider_{table}"]
    succeed(site.toolkit("django", "migrate", "--check"))
    succeed(site.toolkit("django", "makemigrations", "--check"))
    facts = filled_site.facts
    refresh = {
        "grant_type": "refresh_token",
        "refresh_token": facts["tokens"]["refresh_token"],
        "client_id": facts["web_client_id"],
        "client_secret": facts["secret"],
    }
    requests = [{"method": "post", "path": "/o/token/", "data": refresh}]
    responses = json.loads(succeed(site.toolkit("takeover_site.client", stdin=requests)))
    assert [response["status"] for response in responses] == [200], responses
