"""The documents by which clients find their way: of the server (RFC 8414), of the resource (RFC 9728)."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client, RequestFactory, override_settings
from django.urls import include, path

from oauth2_provider.settings import oauth2_settings
from oauth2_provider.urls import (
    app_name,
    base_urlpatterns,
    metadata_urlpatterns,
    resource_metadata_urlpatterns,
    server_metadata_urlpatterns,
)

SERVER = "/o/.well-known/oauth-authorization-server"
RESOURCE = "/o/.well-known/oauth-protected-resource"
HOST = "http://testserver"


class AtTheRoot:
    """The provider below /o/, its well-known documents at the root as well: what clients of RFC 8414 look for."""

    urlpatterns = [
        path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
        path("", include((metadata_urlpatterns, app_name), namespace="well_known")),
    ]


class Small:
    """A site that includes the endpoints it wants."""

    urlpatterns = [path("o/", include(([*server_metadata_urlpatterns, *base_urlpatterns], app_name)))]


class ResourceOnly:
    urlpatterns = [path("o/", include((resource_metadata_urlpatterns, app_name)))]


def document(client: Client, url: str = SERVER, **site: Any) -> dict[str, Any]:
    with override_settings(OAUTH2_PROVIDER=site):
        answer = client.get(url)
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/json"
    assert answer["Access-Control-Allow-Origin"] == "*"
    return answer.json()


@pytest.mark.urls.with_args(Small)
def test_what_the_site_has_not_included_is_not_in_the_document(client: Client) -> None:
    """RFC 8414 sections 2 and 3.2, in full: "Claims with zero elements MUST be omitted"."""
    secrets = ["client_secret_post", "client_secret_basic"]
    said = document(client, DCR_ENABLED=True)
    for name in ("device_authorization_endpoint", "pushed_authorization_request_endpoint"):
        said.pop(name, None)  # of the lists that are included whole
    said["grant_types_supported"] = said["grant_types_supported"][:5]
    assert said == {
        "issuer": f"{HOST}/o",
        "authorization_endpoint": f"{HOST}/o/authorize/",
        "token_endpoint": f"{HOST}/o/token/",
        "revocation_endpoint": f"{HOST}/o/revoke_token/",
        "introspection_endpoint": f"{HOST}/o/introspect/",
        "scopes_supported": ["read", "write"],
        "response_types_supported": ["code", "token"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "grant_types_supported": [
            "authorization_code",
            "implicit",
            "password",
            "client_credentials",
            "refresh_token",
        ],
        "token_endpoint_auth_methods_supported": [*secrets, "none"],
        "revocation_endpoint_auth_methods_supported": [*secrets, "none"],
        "introspection_endpoint_auth_methods_supported": secrets,
        "code_challenge_methods_supported": ["S256", "plain"],
        "authorization_response_iss_parameter_supported": False,
    }


@pytest.mark.parametrize("is_on", [True, False])
def test_what_is_switched_on_is_said(client: Client, is_on: bool) -> None:
    """RFC 7591, RFC 9126 section 5, Client ID Metadata Document draft section 5 (MUST)."""
    said = document(
        client, DCR_ENABLED=is_on, CIMD_ENABLED=is_on, REQUIRE_PUSHED_AUTHORIZATION_REQUESTS=is_on
    )
    expected = {
        "registration_endpoint": f"{HOST}/o/register/",
        "client_id_metadata_document_supported": True,
        "require_pushed_authorization_requests": True,
    }
    assert {name: said[name] for name in expected if name in said} == (expected if is_on else {})


def test_an_endpoint_that_is_off_is_not_said(client: Client) -> None:
    assert "pushed_authorization_request_endpoint" not in document(client, PAR_ENABLED=False)


def test_the_device_grant_is_said_with_its_endpoint_and_not_without(client: Client) -> None:
    said = document(client)
    grants = [name for name in said["grant_types_supported"] if name.endswith(":device_code")]
    assert bool(grants) == ("device_authorization_endpoint" in said)


def test_the_gates_of_rfc_9700_show(client: Client) -> None:
    said = document(
        client,
        COMPLIANT_BCP_RFC9700_IMPLICIT_GRANT=True,
        COMPLIANT_BCP_RFC9700_PASSWORD_GRANT=True,
        COMPLIANT_BCP_RFC9700_PKCE_METHOD=True,
        COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS=True,
    )
    assert said["response_types_supported"] == ["code"]
    assert not {"implicit", "password"} & set(said["grant_types_supported"])
    assert said["code_challenge_methods_supported"] == ["S256"]
    assert said["authorization_response_iss_parameter_supported"] is True


@pytest.mark.django_db
@pytest.mark.parametrize("url", [SERVER, "/o/.well-known/openid-configuration"])
def test_assertions_are_said_with_their_algorithms(client: Client, url: str) -> None:
    """RFC 8414 section 2: the algorithms MUST be present if private_key_jwt or client_secret_jwt is specified."""
    methods = ["client_secret_basic", "private_key_jwt", "client_secret_jwt"]
    site = {
        "OIDC_ENABLED": True,
        "OAUTH2_TOKEN_ENDPOINT_AUTH_METHODS_SUPPORTED": methods,
        "OIDC_TOKEN_ENDPOINT_AUTH_METHODS_SUPPORTED": methods,
        "CLIENT_ASSERTION_PRIVATE_KEY_JWT_ALGS": ["ES256", "RS256"],
        "CLIENT_ASSERTION_CLIENT_SECRET_JWT_ALGS": ["HS256"],
    }
    names = [
        f"{endpoint}_endpoint_auth_signing_alg_values_supported"
        for endpoint in ("token", "revocation", "introspection")
    ]
    with override_settings(OAUTH2_PROVIDER=site):
        said = client.get(url).json()
    assert [said[name] for name in names] == [["ES256", "RS256", "HS256"]] * 3
    for name in names:
        assert "client_secret_jwt" in said[name.replace("signing_alg_values", "methods")]
    assert not {*names} & {*document(client)}


def test_a_list_of_nothing_is_left_out(client: Client) -> None:
    """RFC 8414 section 3.2: "Claims with zero elements MUST be omitted from the response"."""
    said = document(
        client,
        OAUTH2_GRANT_TYPES_SUPPORTED=["implicit"],
        OAUTH2_RESPONSE_TYPES_SUPPORTED=["token"],
        COMPLIANT_BCP_RFC9700_IMPLICIT_GRANT=True,
    )
    assert not {"grant_types_supported", "response_types_supported"} & {*said}
    assert [] not in said.values()


@pytest.mark.urls.with_args(AtTheRoot)
def test_the_document_is_where_the_issuer_says(client: Client) -> None:
    """RFC 8414 section 3.1: the well-known part goes between the host and the path of the issuer."""
    said = document(client, "/.well-known/oauth-authorization-server/o")
    assert said == document(client)
    assert said["issuer"] == f"{HOST}/o"
    assert said["token_endpoint"] == f"{HOST}/o/token/"


@pytest.mark.urls.with_args(AtTheRoot)
@pytest.mark.parametrize("issuer_path", ["x", "o/x", "O", "authorize"])
def test_the_document_of_another_issuer_is_not_made_up(client: Client, issuer_path: str) -> None:
    """RFC 8414 section 3.3: the issuer MUST be identical to the one whose document was asked for."""
    assert client.get(f"/.well-known/oauth-authorization-server/{issuer_path}").status_code == 404


@pytest.mark.urls.with_args(AtTheRoot)
def test_a_set_issuer_has_its_document_at_its_path(client: Client) -> None:
    site = {"OIDC_ISS_ENDPOINT": "https://id.example/tenant/1"}
    said = document(client, "/.well-known/oauth-authorization-server/tenant/1", **site)
    assert said["issuer"] == site["OIDC_ISS_ENDPOINT"]
    with override_settings(OAUTH2_PROVIDER=site):
        assert client.get("/.well-known/oauth-authorization-server/o").status_code == 404


@pytest.mark.urls.with_args(AtTheRoot)
@pytest.mark.parametrize(
    ("asked", "resource"),
    [("", HOST), ("/mcp", f"{HOST}/mcp"), ("/a/b%20c", f"{HOST}/a/b%20c")],
)
def test_a_resource_is_described_at_its_path(client: Client, asked: str, resource: str) -> None:
    """RFC 9728 sections 3.1 and 3.3: resource MUST be identical to what the URL was made of."""
    said = document(client, f"/.well-known/oauth-protected-resource{asked}")
    assert said == {
        "resource": resource,
        "authorization_servers": [f"{HOST}/o"],
        "scopes_supported": ["read", "write"],
        "bearer_methods_supported": ["header"],
    }


def test_what_the_site_says_of_its_resource_is_in_the_document(client: Client) -> None:
    said = document(
        client,
        RESOURCE,
        OAUTH2_PROTECTED_RESOURCE_IDENTIFIER="https://api.example/v1",
        OAUTH2_PROTECTED_RESOURCE_AUTHORIZATION_SERVERS=["https://id.example"],
        OAUTH2_PROTECTED_RESOURCE_BEARER_METHODS_SUPPORTED=["header", "body"],
        OAUTH2_PROTECTED_RESOURCE_NAME="The API",
        OAUTH2_PROTECTED_RESOURCE_DOCUMENTATION="https://api.example/docs",
        OAUTH2_PROTECTED_RESOURCE_POLICY_URI="https://api.example/policy",
        OAUTH2_PROTECTED_RESOURCE_TOS_URI="https://api.example/tos",
    )
    assert said == {
        "resource": "https://api.example/v1",
        "authorization_servers": ["https://id.example"],
        "scopes_supported": ["read", "write"],
        "bearer_methods_supported": ["header", "body"],
        "resource_name": "The API",
        "resource_documentation": "https://api.example/docs",
        "resource_policy_uri": "https://api.example/policy",
        "resource_tos_uri": "https://api.example/tos",
    }


@pytest.mark.parametrize(("asked", "status"), [("/v1", 200), ("/v1/", 200), ("/v2", 404), ("/v1/x", 404)])
def test_a_set_resource_is_described_at_its_own_path_only(client: Client, asked: str, status: int) -> None:
    """RFC 9728 section 3.3."""
    with override_settings(
        OAUTH2_PROVIDER={"OAUTH2_PROTECTED_RESOURCE_IDENTIFIER": "https://api.example/v1"}
    ):
        assert client.get(f"{RESOURCE}{asked}").status_code == status


@pytest.mark.parametrize(
    ("identifier", "url"),
    [
        ("", f"{HOST}{RESOURCE}"),
        ("https://api.example", f"{HOST}{RESOURCE}"),
        ("https://api.example/v1/x", f"{HOST}{RESOURCE}/v1/x"),
    ],
)
def test_a_challenge_leads_to_the_document_of_the_resource(
    rf: RequestFactory, identifier: str, url: str
) -> None:
    """RFC 9728 section 5.1."""
    with override_settings(OAUTH2_PROVIDER={"OAUTH2_PROTECTED_RESOURCE_IDENTIFIER": identifier}):
        assert oauth2_settings.oauth2_resource_metadata_url(rf.get("/")) == url


@pytest.mark.urls.with_args(ResourceOnly)
def test_a_resource_server_alone_names_its_authorization_server(client: Client) -> None:
    said = document(client, RESOURCE, OAUTH2_PROTECTED_RESOURCE_AUTHORIZATION_SERVERS=["https://id.example"])
    assert said["authorization_servers"] == ["https://id.example"]
