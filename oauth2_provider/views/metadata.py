"""Metadata documents: of the authorization server (RFC 8414), of the protected resource (RFC 9728)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.urls import NoReverseMatch, reverse
from django.views.generic import View

from ..bcp import bcp_compliant
from ..compat import login_exempt
from ..flows.metadata import supported_grant_types
from ..models import AbstractGrant
from ..scopes import get_scopes_backend
from ..settings import oauth2_settings


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


class ServerMetadataViewMixin:
    """What the documents of an authorization server share."""

    def _get_endpoint_url(self, request: HttpRequest, issuer: str, view_name: str) -> str | None:
        """Return the absolute URL of an endpoint of this server; None where the site has not included it."""
        try:
            path = reverse(f"oauth2_provider:{view_name}")
        except NoReverseMatch:
            return None
        return request.build_absolute_uri(path)

    def common_metadata(self, request: HttpRequest, issuer: str) -> dict[str, Any]:
        """Return the entries of RFC 8414 section 2; what the site does not offer is left out."""
        endpoints = {
            "authorization_endpoint": "authorize",
            "token_endpoint": "token",
            "revocation_endpoint": "revoke-token",
            "introspection_endpoint": "introspect",
        }
        urls = {key: self._get_endpoint_url(request, issuer, name) for key, name in endpoints.items()}
        methods = oauth2_settings.OAUTH2_TOKEN_ENDPOINT_AUTH_METHODS_SUPPORTED
        return {
            "issuer": issuer,
            **{key: url for key, url in urls.items() if url is not None},
            "scopes_supported": list(get_scopes_backend().get_all_scopes()),
            "response_types_supported": bcp_filter_response_types(
                oauth2_settings.OAUTH2_RESPONSE_TYPES_SUPPORTED
            ),
            "response_modes_supported": ["query", "fragment", "form_post"],
            "grant_types_supported": supported_grant_types(),
            "token_endpoint_auth_methods_supported": [*methods, "none"],
            "revocation_endpoint_auth_methods_supported": [*methods, "none"],
            "introspection_endpoint_auth_methods_supported": list(methods),
            "code_challenge_methods_supported": bcp_filter_code_challenge_methods(
                [AbstractGrant.CODE_CHALLENGE_S256, AbstractGrant.CODE_CHALLENGE_PLAIN]
            ),
            "authorization_response_iss_parameter_supported": bcp_compliant("AUTHZ_RESPONSE_ISS"),
        }


@login_exempt
class OAuthServerMetadataView(ServerMetadataViewMixin, View):
    """The authorization server's metadata (RFC 8414 section 3), at the root and in the path form."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> JsonResponse:
        issuer = oauth2_settings.oauth2_authorization_server_issuer(request)
        return _document(self.common_metadata(request, issuer))


@login_exempt
class OAuthProtectedResourceMetadataView(View):
    """The protected resource's metadata (RFC 9728 section 3). Subclass it for a second resource."""

    def get_resource(self, request: HttpRequest) -> str:
        return oauth2_settings.oauth2_resource_identifier(request)

    def get_authorization_servers(self, request: HttpRequest) -> list[str]:
        return oauth2_settings.oauth2_resource_authorization_servers(request)

    def get_scopes_supported(self, request: HttpRequest) -> list[str]:
        return list(get_scopes_backend().get_all_scopes())

    def get_bearer_methods_supported(self, request: HttpRequest) -> list[str]:
        return list(oauth2_settings.OAUTH2_PROTECTED_RESOURCE_BEARER_METHODS_SUPPORTED)

    def get_resource_name(self, request: HttpRequest) -> str:
        return str(oauth2_settings.OAUTH2_PROTECTED_RESOURCE_NAME)

    def get_resource_documentation(self, request: HttpRequest) -> str:
        return str(oauth2_settings.OAUTH2_PROTECTED_RESOURCE_DOCUMENTATION)

    def get_resource_policy_uri(self, request: HttpRequest) -> str:
        return str(oauth2_settings.OAUTH2_PROTECTED_RESOURCE_POLICY_URI)

    def get_resource_tos_uri(self, request: HttpRequest) -> str:
        return str(oauth2_settings.OAUTH2_PROTECTED_RESOURCE_TOS_URI)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> JsonResponse:
        document: dict[str, Any] = {
            "resource": self.get_resource(request),
            "authorization_servers": self.get_authorization_servers(request),
            "scopes_supported": self.get_scopes_supported(request),
            "bearer_methods_supported": self.get_bearer_methods_supported(request),
            "resource_name": self.get_resource_name(request),
            "resource_documentation": self.get_resource_documentation(request),
            "resource_policy_uri": self.get_resource_policy_uri(request),
            "resource_tos_uri": self.get_resource_tos_uri(request),
        }
        return _document({name: value for name, value in document.items() if value})


def _document(content: dict[str, Any]) -> JsonResponse:
    response = JsonResponse(content)
    response["Access-Control-Allow-Origin"] = "*"
    return response
