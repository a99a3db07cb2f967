"""An application of several grant types: what is listed is allowed, and nothing else (RFC 7591 section 2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.forms import CheckboxSelectMultiple
from django.forms.models import modelform_factory
from django.test import Client, RequestFactory

from oauth2_provider.models import Application, RefreshToken

from .conftest import REDIRECT_URI, RegisteredClient
from .test_application_pages import LIST, VALUES

Register = Callable[..., RegisteredClient]
CODE = Application.GRANT_AUTHORIZATION_CODE


def listing(grant_types: str | None, kind: str = CODE) -> Application:
    return Application(
        authorization_grant_type=kind,
        registered_grant_types=grant_types,
        client_type=Application.CLIENT_PUBLIC,
        redirect_uris=REDIRECT_URI,
    )


def token_request(client: Client, registered: RegisteredClient, **parameters: Any) -> Any:
    return client.post("/o/token/", parameters, headers={"authorization": registered.basic})


@pytest.mark.parametrize(
    ("grant_types", "allowed"),
    [
        (None, {CODE}),
        ("authorization_code", {CODE}),
        ("authorization_code client_credentials", {CODE, Application.GRANT_CLIENT_CREDENTIALS}),
        (
            "authorization_code implicit",
            {CODE, Application.GRANT_IMPLICIT, Application.GRANT_OPENID_HYBRID},
        ),
        (
            "authorization_code urn:ietf:params:oauth:grant-type:device_code",
            {CODE, Application.GRANT_DEVICE_CODE},
        ),
    ],
)
def test_what_is_listed_is_allowed(grant_types: str | None, allowed: set[str]) -> None:
    application = listing(grant_types)
    kinds = [kind for kind, _label in Application.GRANT_TYPES]
    assert {kind for kind in kinds if application.allows_grant_type(kind)} == allowed


@pytest.mark.parametrize(
    ("kind", "on_the_wire"),
    [
        (CODE, ["authorization_code", "refresh_token"]),
        (Application.GRANT_IMPLICIT, ["implicit"]),
        (Application.GRANT_OPENID_HYBRID, ["authorization_code", "implicit", "refresh_token"]),
        (Application.GRANT_CLIENT_CREDENTIALS, ["client_credentials", "refresh_token"]),
    ],
)
def test_without_a_list_the_single_field_says_it(kind: str, on_the_wire: list[str]) -> None:
    assert listing(None, kind).effective_grant_types == on_the_wire
    assert listing(None, kind).allows_refresh_tokens


@pytest.mark.parametrize(
    ("grant_types", "complaint"),
    [
        ("authorization_code telepathy", "There is no grant type telepathy."),
        ("client_credentials refresh_token", "has to be among them"),
    ],
)
def test_a_list_that_contradicts_itself_is_refused(grant_types: str, complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        listing(grant_types).clean()


def test_a_redirect_uri_is_needed_for_any_listed_grant_that_redirects() -> None:
    application = listing("client_credentials authorization_code", Application.GRANT_CLIENT_CREDENTIALS)
    application.redirect_uris = ""
    with pytest.raises(ValidationError, match="needed for the grant type"):
        application.clean()


def test_one_client_uses_each_grant_it_lists(client: Client, register: Register, exchange: Any) -> None:
    registered = register(registered_grant_types="authorization_code refresh_token client_credentials")
    tokens = exchange(registered)
    assert token_request(client, registered, grant_type="client_credentials").status_code == 200
    refreshed = token_request(
        client, registered, grant_type="refresh_token", refresh_token=tokens["refresh_token"]
    )
    assert refreshed.status_code == 200
    refused = token_request(client, registered, grant_type="password", username="someone", password="x")
    assert (refused.status_code, refused.json()["error"]) == (400, "unauthorized_client")


def test_who_does_not_list_refresh_tokens_gets_none(
    client: Client, register: Register, exchange: Any
) -> None:
    """RFC 7591 section 2: the grant types that the client can use at the token endpoint."""
    registered = register(registered_grant_types="authorization_code")
    assert "refresh_token" not in exchange(registered)
    assert not RefreshToken.objects.exists()


def test_a_refresh_token_of_before_the_list_is_refused(
    client: Client, register: Register, exchange: Any
) -> None:
    registered = register()
    refresh_token = exchange(registered)["refresh_token"]
    Application.objects.update(registered_grant_types="authorization_code")
    answer = token_request(client, registered, grant_type="refresh_token", refresh_token=refresh_token)
    assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")


def test_the_registered_scope_is_all_a_client_may_ask_for(
    client: Client, register: Register, exchange: Any
) -> None:
    """RFC 7591 section 2: scope values that the client can use when requesting access tokens."""
    registered = register(
        registered_grant_types="authorization_code client_credentials", registered_scope="read"
    )
    assert exchange(registered, scope=None)["scope"] == "read"
    answer = token_request(client, registered, grant_type="client_credentials", scope="read write")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")
    assert token_request(client, registered, grant_type="client_credentials").json()["scope"] == "read"


def test_the_pages_set_the_list_and_take_it_back(client: Client, user: Any) -> None:
    client.force_login(user)
    ticked = ["authorization_code", "refresh_token", "client_credentials"]
    client.post(f"{LIST}register/", {**VALUES, "registered_grant_types": ticked})
    application = Application.objects.get()
    assert application.registered_grant_types == " ".join(ticked)
    update = f"{LIST}{application.pk}/update/"
    page = client.get(update)
    boxes = page.context["form"]["registered_grant_types"].subwidgets
    assert [box.data["value"] for box in boxes if box.data["selected"]] == ticked
    assert b"client_credentials" in client.get(f"{LIST}{application.pk}/").content

    refused = client.post(update, {**VALUES, "registered_grant_types": ["implicit"]})
    assert "has to be among them" in str(refused.context["form"].errors["registered_grant_types"])

    assert client.post(update, VALUES).status_code == 302
    application.refresh_from_db()
    assert application.registered_grant_types is None


@pytest.mark.django_db
def test_the_admin_has_tick_boxes_for_it(rf: RequestFactory) -> None:
    """The admin puts a text area on every text field; the list keeps its boxes."""
    model_admin = admin.ModelAdmin(Application, admin.site)
    request = rf.get("/")
    field = model_admin.formfield_for_dbfield(
        Application._meta.get_field("registered_grant_types"), request=request
    )
    assert isinstance(field.widget, CheckboxSelectMultiple)
    form = modelform_factory(Application, fields=["registered_grant_types"])(
        {"registered_grant_types": ["telepathy"]}, instance=Application(client_id="x")
    )
    assert "registered_grant_types" in form.errors
