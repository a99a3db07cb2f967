"""OpenID Connect's endpoints: discovery, keys, UserInfo (Discovery 1.0, Core 1.0 section 5.3)."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import View

from ..compat import login_exempt
from ..models import AbstractApplication
from ..settings import oauth2_settings
from ..utils import jwk_from_pem
from .metadata import ServerMetadataViewMixin, bcp_filter_response_types
from .mixins import OAuthLibMixin, OIDCOnlyMixin


@login_exempt
class ConnectDiscoveryInfoView(OIDCOnlyMixin, ServerMetadataViewMixin, View):
    """The provider's configuration (Discovery 1.0 section 4)."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> JsonResponse:
        issuer = oauth2_settings.oidc_issuer(request)
        validator = oauth2_settings.OAUTH2_VALIDATOR_CLASS()
        userinfo = oauth2_settings.OIDC_USERINFO_ENDPOINT
        methods = oauth2_settings.OIDC_TOKEN_ENDPOINT_AUTH_METHODS_SUPPORTED
        signing = [AbstractApplication.HS256_ALGORITHM]
        if oauth2_settings.OIDC_RSA_PRIVATE_KEY:
            signing.insert(0, AbstractApplication.RS256_ALGORITHM)
        response = JsonResponse(
            {
                **self.common_metadata(request, issuer),
                "userinfo_endpoint": userinfo or self._get_endpoint_url(request, issuer, "user-info"),
                "jwks_uri": self._get_endpoint_url(request, issuer, "jwks-info"),
                "response_types_supported": bcp_filter_response_types(
                    oauth2_settings.OIDC_RESPONSE_TYPES_SUPPORTED
                ),
                "subject_types_supported": oauth2_settings.OIDC_SUBJECT_TYPES_SUPPORTED,
                "id_token_signing_alg_values_supported": signing,
                "token_endpoint_auth_methods_supported": [*methods, "none"],
                "claims_supported": validator.get_discovery_claims(request),
                "prompt_values_supported": self._prompts(),
            }
        )
        response["Access-Control-Allow-Origin"] = "*"
        return response

    def _prompts(self) -> list[str]:
        can_register = oauth2_settings.OIDC_RP_INITIATED_REGISTRATION_ENABLED
        return ["none", "login", "consent", *(["create"] if can_register else [])]


@login_exempt
class JwksInfoView(OIDCOnlyMixin, View):
    """The public keys that ID tokens are verified with (RFC 7517 section 5): the active one, then retired ones."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> JsonResponse:
        pems = [oauth2_settings.OIDC_RSA_PRIVATE_KEY, *oauth2_settings.OIDC_RSA_PRIVATE_KEYS_INACTIVE]
        keys = [
            {**key.export_public(as_dict=True), "alg": "RS256", "use": "sig", "kid": key.thumbprint()}
            for key in (jwk_from_pem(pem) for pem in pems if pem)
        ]
        response = JsonResponse({"keys": keys})
        age = oauth2_settings.OIDC_JWKS_MAX_AGE_SECONDS
        response["Cache-Control"] = (
            f"public, max-age={age}, stale-while-revalidate={age}, stale-if-error={age}"
        )
        response["Access-Control-Allow-Origin"] = "*"
        return response


@method_decorator(csrf_exempt, name="dispatch")
@login_exempt
class UserInfoView(OIDCOnlyMixin, OAuthLibMixin, View):
    """Claims about the user, for a bearer token of scope `openid` (Core 1.0 section 5.3)."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._create_userinfo_response(request)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._create_userinfo_response(request)

    def options(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Answer a preflight of a script (Core 1.0 section 5.3: SHOULD support CORS)."""
        response = HttpResponse(headers={"Allow": "GET, POST, OPTIONS"})
        if oauth2_settings.OIDC_USERINFO_CORS_ENABLED:
            response["Access-Control-Allow-Methods"] = "GET, POST, OPTIONS"
            response["Access-Control-Allow-Headers"] = "Authorization"
        return self._with_cors(response)

    def _create_userinfo_response(self, request: HttpRequest) -> HttpResponse:
        _url, headers, body, status = self.create_userinfo_response(request)
        response = HttpResponse(content=body or "", status=status)
        for name, value in headers.items():
            response[name] = value
        response["Cache-Control"] = "no-store"
        return self._with_cors(response)

    def _with_cors(self, response: HttpResponse) -> HttpResponse:
        if oauth2_settings.OIDC_USERINFO_CORS_ENABLED:
            response["Access-Control-Allow-Origin"] = "*"
        return response
