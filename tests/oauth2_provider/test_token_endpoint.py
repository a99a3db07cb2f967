"""The token endpoint: how clients authenticate, which error a mistake gets (RFC 6749 sections 2.3, 3.2, 5)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus

import pytest
from django.test import Client

from oauth2_provider.models import AccessToken, Application, RefreshToken
from oauth2_provider.signals import app_authorized

from .conftest import RegisteredClient
from .counting_hasher import COUNTING_HASHER, hashes_in

Register = Callable[..., RegisteredClient]
FORM = "application/x-www-form-urlencoded"


def basic(client_id: str, secret: str) -> dict[str, str]:
    return {"authorization": f"Basic {base64.b64encode(f'{client_id}:{secret}'.encode()).decode()}"}


@pytest.fixture
def machine(register: Register) -> RegisteredClient:
    return register(authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS)


def ask(client: Client, *, headers: dict[str, str] | None = None, **parameters: Any) -> Any:
    return client.post("/o/token/", {"grant_type": "client_credentials", **parameters}, headers=headers or {})


def test_credentials_in_the_body_authenticate(client: Client, machine: RegisteredClient) -> None:
    """RFC 6749 section 2.3.1."""
    answer = ask(client, client_id=machine.application.client_id, client_secret=machine.secret)
    assert answer.status_code == 200


def test_basic_credentials_are_form_decoded(client: Client, register: Register) -> None:
    """RFC 6749 section 2.3.1: encoded using the application/x-www-form-urlencoded algorithm."""
    secret = "päss +%:word"
    registered = register(
        client_id="https://client.example/?a=b",
        client_secret=secret,
        authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
    )
    headers = basic(quote_plus(registered.application.client_id), quote_plus(secret))
    assert ask(client, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "make_headers",
    [
        lambda machine: basic(machine.application.client_id, "wrong"),
        lambda machine: basic("unknown", machine.secret),
        lambda machine: basic("unknown\x00", machine.secret),
        lambda machine: {"authorization": "Basic"},
        lambda machine: {"authorization": "Basic !!!"},
        lambda machine: {"authorization": f"Basic {base64.b64encode(b'no colon').decode()}"},
        lambda machine: {"authorization": f"Basic {base64.b64encode(bytes([0xFF, 0x3A])).decode()}"},
    ],
)
def test_wrong_basic_credentials_are_answered_with_a_basic_challenge(
    client: Client, machine: RegisteredClient, make_headers: Any
) -> None:
    """RFC 6749 section 5.2: MUST respond with 401 and the scheme that the client used."""
    answer = ask(client, headers=make_headers(machine))
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert answer["WWW-Authenticate"].startswith("Basic ")
    assert answer["Cache-Control"] == "no-store"


def test_two_methods_of_authentication_are_refused(client: Client, machine: RegisteredClient) -> None:
    """RFC 6749 section 2.3: MUST NOT use more than one authentication method in each request."""
    headers = {"authorization": machine.basic}
    answer = ask(client, headers=headers, client_secret=machine.secret)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_client_ids_that_differ_are_refused(client: Client, machine: RegisteredClient) -> None:
    answer = ask(client, headers={"authorization": machine.basic}, client_id="another")
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_a_public_client_does_not_authenticate_with_its_id(client: Client, register: Register) -> None:
    """RFC 6749 section 4.4: MUST only be used by confidential clients."""
    public = register(
        client_type=Application.CLIENT_PUBLIC, authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS
    )
    for credentials in ({}, {"client_secret": public.secret}):
        answer = ask(client, client_id=public.application.client_id, **credentials)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "private_key_jwt"])
def test_a_client_is_held_to_the_method_it_registered(
    client: Client, register: Register, method: str
) -> None:
    """RFC 7591 section 2, token_endpoint_auth_method."""
    registered = register(
        authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS, token_endpoint_auth_method=method
    )
    in_header = ask(client, headers={"authorization": registered.basic})
    in_body = ask(client, client_id=registered.application.client_id, client_secret=registered.secret)
    assert (in_header.status_code == 200) == (method == "client_secret_basic")
    assert (in_body.status_code == 200) == (method == "client_secret_post")


def test_credentials_in_the_uri_are_refused(client: Client, machine: RegisteredClient) -> None:
    """RFC 6749 section 2.3.1: MUST NOT be included in the request URI."""
    query = f"client_id={machine.application.client_id}&client_secret={machine.secret}"
    answer = client.post(f"/o/token/?{query}", {"grant_type": "client_credentials"})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert client.get(f"/o/introspect/?token=x&{query}").status_code == 401


def test_get_is_refused(client: Client) -> None:
    """RFC 6749 section 3.2: the client MUST use the HTTP "POST" method."""
    assert client.get("/o/token/", {"grant_type": "client_credentials"}).status_code == 405


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"grant_type": "unknown"}, "unsupported_grant_type"),
        ({"grant_type": ""}, "invalid_request"),
        ({"grant_type": "authorization_code"}, "invalid_request"),
        ({"grant_type": "authorization_code", "code": "x"}, "unauthorized_client"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "unknown"}, "invalid_grant"),
        ({"grant_type": "password", "username": "a", "password": "b"}, "unauthorized_client"),
        ({"scope": "unknown"}, "invalid_scope"),
        ({"scope": ["read", "write"]}, "invalid_request"),
        ({"resource": "relative"}, "invalid_target"),
        ({"scope": "re\x00ad"}, "invalid_request"),
    ],
    ids=str,
)
def test_each_mistake_has_its_error(
    client: Client, machine: RegisteredClient, parameters: dict[str, Any], error: str
) -> None:
    """RFC 6749 section 5.2; section 3.2: request parameters MUST NOT be included more than once."""
    answer = ask(client, headers={"authorization": machine.basic}, **parameters)
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert answer["Content-Type"].startswith("application/json")
    assert (answer["Cache-Control"], answer["Pragma"]) == ("no-store", "no-cache")
    assert not AccessToken.objects.exists()


def test_unknown_and_empty_parameters_are_ignored(client: Client, machine: RegisteredClient) -> None:
    """RFC 6749 section 3.2."""
    answer = ask(client, headers={"authorization": machine.basic}, unheard_of="x", scope="")
    assert answer.json()["scope"] == "read write"


def test_a_response_is_not_to_be_stored(client: Client, machine: RegisteredClient) -> None:
    """RFC 6749 section 5.1: MUST include Cache-Control: no-store and Pragma: no-cache."""
    answer = ask(client, headers={"authorization": machine.basic})
    assert (answer["Cache-Control"], answer["Pragma"]) == ("no-store", "no-cache")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"grant_type=client_credentials&x=" + b"a" * 1024 * 1024, FORM),
        (b"grant_type=client_credentials&x=" + b"a" * 4 * 1024 * 1024, FORM),
        (b"&".join(b"p%d=1" % number for number in range(1500)), FORM),
        (b"grant_type=%ff%fe", FORM),
        (b"\xff\xfe=\x00", FORM),
        (b"grant_type=client_credentials", f"{FORM}; charset=utf-16"),
        (b"grant_type=client_credentials", f"{FORM}; charset=unknown"),
        (b"not a multipart body", "multipart/form-data; boundary=x"),
        (b"not a multipart body", "multipart/form-data"),
        (b'{"grant_type": "client_credentials"}', "application/json"),
        (b"grant_type=client_credentials", ""),
        (b"", FORM),
    ],
    ids=[
        "1MB",
        "4MB",
        "fields",
        "utf8",
        "bytes",
        "utf16",
        "charset",
        "part",
        "boundary",
        "json",
        "none",
        "empty",
    ],
)
def test_a_body_that_is_no_request_is_an_invalid_request(
    client: Client, machine: RegisteredClient, body: bytes, content_type: str
) -> None:
    """RFC 6749 section 5.2 and appendix B."""
    answer = client.generic("POST", "/o/token/", body, content_type, headers={"authorization": machine.basic})
    assert answer.status_code == 400
    assert answer.json()["error"] in ("invalid_request", "unsupported_grant_type")


def test_only_form_encoded_bodies_where_the_site_says_so(
    client: Client, machine: RegisteredClient, settings: Any
) -> None:
    """RFC 6749 appendix B."""
    settings.OAUTH2_PROVIDER = {"REQUIRE_FORM_ENCODED_REQUEST_BODY": True}
    headers = {"authorization": machine.basic}
    for path in ("/o/token/", "/o/revoke_token/", "/o/introspect/"):
        answer = client.post(path, {"grant_type": "client_credentials"}, headers=headers)  # multipart
        assert (answer.status_code, answer.json()["error"]) == (415, "invalid_request")
    form = client.post("/o/token/", "grant_type=client_credentials", FORM, headers=headers)
    assert form.status_code == 200


@pytest.mark.parametrize(
    ("value", "status"),
    [("client_credentials", 200), ("\ud800", 400), ({"a": 1}, 400), (["a", "b"], 400), (None, 400), (1, 400)],
)
def test_the_json_backend_takes_json(
    client: Client, machine: RegisteredClient, settings: Any, value: Any, status: int
) -> None:
    settings.OAUTH2_PROVIDER = {"OAUTH2_BACKEND_CLASS": "oauth2_provider.oauth2_backends.JSONOAuthLibCore"}
    headers = {"authorization": machine.basic}
    answer = client.post("/o/token/", json.dumps({"grant_type": value}), "application/json", headers=headers)
    assert answer.status_code == status


def test_an_unknown_client_costs_what_a_wrong_secret_costs(
    client: Client, register: Register, settings: Any
) -> None:
    """The time of an answer must not tell which clients there are."""
    settings.PASSWORD_HASHERS = [COUNTING_HASHER]
    generated = register(authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS)
    chosen = register(
        authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
        client_id="chosen",
        client_secret="chosen",
    )

    def cost(headers: dict[str, str], status: int) -> float:
        def present() -> None:
            assert ask(client, headers=headers).status_code == status

        return hashes_in(present)

    assert cost({"authorization": generated.basic}, 200) == 0
    wrong = ("unknown", generated.application.client_id, chosen.application.client_id)
    assert [cost(basic(client_id, "wrong"), 401) for client_id in wrong] == [1, 1, 1]


def test_the_signal_has_the_token_that_was_issued(
    client: Client, machine: RegisteredClient, django_assert_max_num_queries: Any
) -> None:
    heard: list[Any] = []

    def receiver(sender: Any, request: Any, token: Any, **kwargs: Any) -> None:
        heard.append(token)

    app_authorized.connect(receiver)
    try:
        with django_assert_max_num_queries(5):  # a savepoint and its release among them
            answer = ask(client, headers={"authorization": machine.basic})
        ask(client)
    finally:
        app_authorized.disconnect(receiver)
    assert [token.pk for token in heard] == [AccessToken.objects.get().pk]
    assert heard[0].token == answer.json()["access_token"]


def test_tokens_are_stored_as_checksums_where_the_site_says_so(
    client: Client, register: Register, exchange: Any, settings: Any
) -> None:
    """RFC 9700 section 4.8.2."""
    settings.OAUTH2_PROVIDER = {"COMPLIANT_BCP_RFC9700_TOKEN_STORAGE": True}
    registered = register()
    tokens = exchange(registered)
    assert (AccessToken.objects.get().token, RefreshToken.objects.get().token) == ("", "")
    answer = client.post(
        "/o/token/",
        {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]},
        headers={"authorization": registered.basic},
    )
    assert answer.status_code == 200
    assert client.get(
        "/o/introspect/",
        {"token": answer.json()["access_token"]},
        headers={"authorization": registered.basic},
    ).json()["active"]


def test_a_script_of_an_allowed_origin_may_read_the_response(
    client: Client, register: Register, exchange: Any
) -> None:
    registered = register(allowed_origins="https://spa.example")
    refresh_token = exchange(registered)["refresh_token"]
    for origin, allowed in (("https://evil.example", False), ("https://spa.example", True)):
        answer = client.post(
            "/o/token/",
            {"grant_type": "refresh_token", "refresh_token": refresh_token},
            headers={"authorization": registered.basic, "origin": origin},
        )
        assert (answer.get("Access-Control-Allow-Origin") == origin) is allowed
        refresh_token = answer.json()["refresh_token"]


@pytest.mark.parametrize(
    "name",
    ["client", "user", "grant", "refresh_token_instance", "id_token_instance", "authentication", "scopes"],
)
def test_a_parameter_is_never_taken_for_what_the_server_keeps(
    client: Client, machine: RegisteredClient, name: str
) -> None:
    """RFC 6749 section 3.2: unrecognized request parameters MUST be ignored."""
    answer = client.post(
        "/o/token/",
        {"grant_type": "client_credentials", name: "x"},
        headers=basic(machine.application.client_id, machine.secret),
    )
    assert answer.status_code == 200, answer.content
    assert AccessToken.objects.get().application == machine.application
