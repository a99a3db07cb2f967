"""The introspection endpoint (RFC 7662)."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict

from ..compat import called_by_clients
from ..flows.introspection import introspect
from ..www_authenticate import BASIC_CHALLENGE, has_basic_credentials
from .generic import ClientProtectedScopedResourceView
from .mixins import FormEncodedRequestMixin, ThrottledEndpointMixin, find_issuer

CREDENTIALS = ("client_secret", "client_assertion", "client_assertion_type")
"""Parameters that a client authenticates with (RFC 6749 section 2.3.1, RFC 7521 section 4.2)."""


@called_by_clients
class IntrospectTokenView(FormEncodedRequestMixin, ThrottledEndpointMixin, ClientProtectedScopedResourceView):
    """Tells an authenticated confidential client, or a bearer token of scope `introspection`, about a token."""

    required_scopes = ["introspection"]
    throttle_scope = "introspect"

    def get_token_response(self, token_value: str | None = None) -> HttpResponse:
        """Return the response about `token_value` (section 2.2); a request without one is invalid (section 2.1)."""
        if not token_value:
            return _invalid_request("The token parameter is missing.")
        asker = getattr(self.request, "client", None)
        content = introspect(token_value, application_id=asker.pk if asker is not None else None)
        issuer = find_issuer(self.request)
        if content["active"] and issuer is not None:
            content["iss"] = issuer
        response = JsonResponse(content)
        response["Cache-Control"] = "no-store"
        return response

    def unauthenticated_response(self, request: HttpRequest, oauthlib_request: Any = None) -> HttpResponse:
        """Return the refusal; to a client that tried to authenticate, as the token endpoint has it (section 2.3).

        Who presented a bearer token, or nothing at all, gets the challenge of a protected resource.
        """
        has_basic = has_basic_credentials(request.headers.get("Authorization"))
        if not has_basic and not any(request.POST.get(name) for name in CREDENTIALS):
            return super().unauthenticated_response(request, oauthlib_request)
        response = JsonResponse({"error": "invalid_client"}, status=401)
        response["WWW-Authenticate"] = BASIC_CHALLENGE if has_basic else 'Bearer error="invalid_client"'
        response["Cache-Control"], response["Pragma"] = "no-store", "no-cache"
        return response

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Answer a GET; RFC 7662 asks for POST, sites have used this."""
        return self._answer(request.GET)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._answer(request.POST)

    def _answer(self, parameters: QueryDict) -> HttpResponse:
        if any(len(values) > 1 for _name, values in parameters.lists()):
            return _invalid_request("A parameter is repeated.")
        return self.get_token_response(parameters.get("token"))


def _invalid_request(description: str) -> HttpResponse:
    return JsonResponse({"error": "invalid_request", "error_description": description}, status=400)
