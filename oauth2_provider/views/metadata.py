"""Metadata documents: of the authorization server (RFC 8414), of the protected resource (RFC 9728)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from django.http import Http404, HttpRequest, JsonResponse
from django.urls import NoReverseMatch, reverse
from django.views.generic import View

from ..bcp import bcp_compliant
from ..compat import login_exempt
from ..flows.metadata import assertion_algorithms, supported_grant_types
from ..models import AbstractApplication, AbstractGrant
from ..scopes import get_scopes_backend
from ..settings import oauth2_settings

PATH_CHARACTERS = "/:@!$&'()*+,;=~-._"
"""Characters of a path that need no escape (RFC 3986 section 3.3)."""


def bcp_filter_response_types(response_types: Iterable[str]) -> list[str]:
    """Return the response types that the site's RFC 9700 gates let through."""
    if not bcp_compliant("IMPLICIT_GRANT"):
        return list(response_types)
    return [response_type for response_type in response_types if "token" not in response_type.split()]


def bcp_filter_code_challenge_methods(methods: Iterable[str]) -> list[str]:
    """Return the PKCE methods that the site's RFC 9700 gates let through."""
    if not bcp_compliant("PKCE_METHOD"):
        return list(methods)
    return [method for method in methods if method != AbstractGrant.CODE_CHALLENGE_PLAIN]


def token_endpoint_authentication(methods: Iterable[str]) -> dict[str, list[str]]:
    """Return how clients authenticate at the token endpoint, "none" among it."""
    return endpoint_authentication("token", [*methods, "none"])


def endpoint_authentication(endpoint: str, methods: list[str]) -> dict[str, list[str]]:
    """Return how clients authenticate at `endpoint` ("token", "revocation", "introspection").

    RFC 8414 section 2: the algorithms MUST be there, for each of the three, where assertions are among the methods.
    """
    algorithms = assertion_algorithms(methods)
    signing = {f"{endpoint}_endpoint_auth_signing_alg_values_supported": algorithms} if algorithms else {}
    return {f"{endpoint}_endpoint_auth_methods_supported": methods, **signing}


class ServerMetadataViewMixin:
    """What the documents of an authorization server share."""

    def _get_endpoint_url(self, request: HttpRequest, view_name: str, required: bool = False) -> str | None:
        """Return the absolute URL of an endpoint of this server; None where the site has not included it.

        Raises NoReverseMatch instead for one that is `required`.
        """
        try:
            path = reverse(f"oauth2_provider:{view_name}")
        except NoReverseMatch:
            if required:
                raise
            return None
        return request.build_absolute_uri(path)

    def common_metadata(self, request: HttpRequest, issuer: str) -> dict[str, Any]:
        """Return the entries of RFC 8414 section 2; what the site does not offer is left out."""
        urls = {key: self._get_endpoint_url(request, name) for key, name in _endpoints().items()}
        methods = oauth2_settings.OAUTH2_TOKEN_ENDPOINT_AUTH_METHODS_SUPPORTED
        entries = {
            "issuer": issuer,
            **{key: url for key, url in urls.items() if url is not None},
            "scopes_supported": list(get_scopes_backend().get_all_scopes()),
            "response_types_supported": bcp_filter_response_types(
                oauth2_settings.OAUTH2_RESPONSE_TYPES_SUPPORTED
            ),
            "response_modes_supported": ["query", "fragment", "form_post"],
            "grant_types_supported": [
                grant_type
                for grant_type in supported_grant_types()
                if grant_type != AbstractApplication.GRANT_DEVICE_CODE
                or urls["device_authorization_endpoint"]
            ],
            **token_endpoint_authentication(methods),
            **endpoint_authentication("revocation", [*methods, "none"]),
            **endpoint_authentication("introspection", list(methods)),
            "code_challenge_methods_supported": bcp_filter_code_challenge_methods(
                [AbstractGrant.CODE_CHALLENGE_S256, AbstractGrant.CODE_CHALLENGE_PLAIN]
            ),
            "authorization_response_iss_parameter_supported": bcp_compliant("AUTHZ_RESPONSE_ISS"),
            **_switched_on(),
        }
        # section 3.2: "Claims with zero elements MUST be omitted"
        return {name: value for name, value in entries.items() if value != []}


@login_exempt
class OAuthServerMetadataView(ServerMetadataViewMixin, View):
    """The authorization server's metadata (RFC 8414 section 3), at the root and in the path form."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> JsonResponse:
        issuer = oauth2_settings.oauth2_authorization_server_issuer(request)
        if not _is_path_of(issuer, kwargs.get("issuer_path")):
            # section 3.3: the issuer MUST be the one that the URL of the document was made of
            raise Http404("There is no issuer of this path.")
        return _document(self.common_metadata(request, issuer))


@login_exempt
class OAuthProtectedResourceMetadataView(View):
    """The protected resource's metadata (RFC 9728 section 3). Subclass it for a second resource."""

    def get_resource(self, request: HttpRequest) -> str:
        """Return the resource: the setting, else what lies at the path that is asked about (section 3.1)."""
        identifier = oauth2_settings.oauth2_resource_identifier(request)
        path = self.kwargs.get("resource_path")
        is_set = bool(oauth2_settings.OAUTH2_PROTECTED_RESOURCE_IDENTIFIER)
        return identifier if is_set or not path else f"{identifier}/{quote(path, safe=PATH_CHARACTERS)}"

    def get_authorization_servers(self, request: HttpRequest) -> list[str]:
        return oauth2_settings.oauth2_resource_authorization_servers(request)

    def get_scopes_supported(self) -> list[str]:
        return list(get_scopes_backend().get_all_scopes())

    def get_bearer_methods_supported(self) -> list[str]:
        return list(oauth2_settings.OAUTH2_PROTECTED_RESOURCE_BEARER_METHODS_SUPPORTED)

    def get_resource_name(self) -> str:
        return str(oauth2_settings.OAUTH2_PROTECTED_RESOURCE_NAME)

    def get_resource_documentation(self) -> str:
        return str(oauth2_settings.OAUTH2_PROTECTED_RESOURCE_DOCUMENTATION)

    def get_resource_policy_uri(self) -> str:
        return str(oauth2_settings.OAUTH2_PROTECTED_RESOURCE_POLICY_URI)

    def get_resource_tos_uri(self) -> str:
        return str(oauth2_settings.OAUTH2_PROTECTED_RESOURCE_TOS_URI)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> JsonResponse:
        resource = self.get_resource(request)
        if not _is_path_of(resource, kwargs.get("resource_path")):
            # section 3.3: the resource MUST be the one that the URL of the document was made of
            raise Http404("There is no resource of this path.")
        document: dict[str, Any] = {
            "resource": resource,
            "authorization_servers": self.get_authorization_servers(request),
            "scopes_supported": self.get_scopes_supported(),
            "bearer_methods_supported": self.get_bearer_methods_supported(),
            "resource_name": self.get_resource_name(),
            "resource_documentation": self.get_resource_documentation(),
            "resource_policy_uri": self.get_resource_policy_uri(),
            "resource_tos_uri": self.get_resource_tos_uri(),
        }
        return _document({name: value for name, value in document.items() if value})


def _endpoints() -> dict[str, str]:
    """Return the URL names of the endpoints that the site has not turned off, by their names in the document."""
    return {
        "authorization_endpoint": "authorize",
        "token_endpoint": "token",
        "revocation_endpoint": "revoke-token",
        "introspection_endpoint": "introspect",
        "device_authorization_endpoint": "device-authorization",
        **({"registration_endpoint": "dcr-register"} if oauth2_settings.DCR_ENABLED else {}),
        **(
            {"pushed_authorization_request_endpoint": "pushed-authorization-request"}
            if oauth2_settings.PAR_ENABLED
            else {}
        ),
    }


def _switched_on() -> dict[str, bool]:
    """Return what is said only where it is so (RFC 9126 section 5, Client ID Metadata Document draft section 5)."""
    switches = {
        "require_pushed_authorization_requests": "REQUIRE_PUSHED_AUTHORIZATION_REQUESTS",
        "client_id_metadata_document_supported": "CIMD_ENABLED",
    }
    return {name: True for name, setting in switches.items() if getattr(oauth2_settings, setting)}


def _is_path_of(identifier: str, path: str | None) -> bool:
    """Tell whether `path`, what follows the well-known part of a URL, is that of `identifier`; None: none follows."""
    return path is None or unquote(urlsplit(identifier).path).strip("/") == path.strip("/")


def _document(content: dict[str, Any]) -> JsonResponse:
    response = JsonResponse(content)
    response["Access-Control-Allow-Origin"] = "*"
    return response
