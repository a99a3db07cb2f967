"""What a client registered of itself, in the admin: its grants to be ticked, the rest to be read."""

from __future__ import annotations

import pytest
from django.test import Client

from oauth2_provider.models import Application
from tests.oauth2_provider.credentials import make_client

from .test_applications import NO_ROWS, VALUES, change, save


@pytest.fixture
def registered(db: None) -> Application:
    return make_client(
        "registered",
        registration_source="dcr",
        registered_grant_types="authorization_code refresh_token",
        client_metadata={
            "client_uri": "https://client.example/<script>",
            "contacts": ["someone@client.example"],
        },
    )


def test_grant_types_are_ticked_and_saved(admin_client: Client, registered: Application) -> None:
    page = admin_client.get(change(registered))
    field = page.context["adminform"].form["registered_grant_types"]
    ticked = [box.data["value"] for box in field.subwidgets if box.data["selected"]]
    assert ticked == ["authorization_code", "refresh_token"]
    [first, *_others] = page.context["adminform"].fieldsets
    assert {"registered_grant_types", "registered_scope"} <= set(first[1]["fields"])

    chosen = ["authorization_code", "client_credentials"]
    save(admin_client, registered, registered_grant_types=chosen, registered_scope="read")
    registered.refresh_from_db()
    assert (registered.registered_grant_types, registered.registered_scope) == (" ".join(chosen), "read")

    save(admin_client, registered)
    registered.refresh_from_db()
    assert registered.registered_grant_types is None


def test_a_list_that_contradicts_itself_is_refused(admin_client: Client, registered: Application) -> None:
    values = {**VALUES, **NO_ROWS, "client_id": "registered", "registered_grant_types": ["implicit"]}
    answer = admin_client.post(change(registered), values)
    assert "has to be among them" in str(answer.context["adminform"].form.errors["registered_grant_types"])


def test_what_a_client_says_of_itself_is_read_only_and_never_markup(
    admin_client: Client, registered: Application
) -> None:
    """RFC 7591 section 5: the server must be extremely careful with any URL provided by the client."""
    page = admin_client.get(change(registered)).content.decode()
    assert "someone@client.example" in page
    assert "<script>" not in page.split("client.example/")[1][:20]
    assert 'href="https://client.example' not in page
    save(admin_client, registered, client_metadata="{}")
    registered.refresh_from_db()
    assert registered.client_metadata["contacts"] == ["someone@client.example"]
