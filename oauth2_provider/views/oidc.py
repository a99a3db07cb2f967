"""OpenID Connect's endpoints: discovery, keys, UserInfo, logout.

Discovery 1.0, Core 1.0 section 5.3, RP-Initiated Logout 1.0.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import resolve_url
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_deny
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.generic import FormView, View

from ..compat import login_exempt
from ..exceptions import (
    ClientIdMissmatch,
    InvalidIDTokenError,
    InvalidOIDCClientError,
    InvalidOIDCRedirectURIError,
    LogoutDenied,
    OIDCError,
)
from ..flows import signing_keys
from ..flows.id_tokens import Hint
from ..flows.logout import end_access, end_access_of_client
from ..forms import ConfirmLogoutForm
from ..http import OAuth2ResponseRedirect
from ..models import get_application_model
from ..oauth2_validators.openid_requests import supported_prompts
from ..settings import oauth2_settings
from .metadata import (
    ServerMetadataViewMixin,
    bcp_filter_response_types,
    token_endpoint_authentication,
)
from .mixins import OAuthLibMixin, OIDCLogoutOnlyMixin, OIDCOnlyMixin
from .responses import with_parameter


@login_exempt
class ConnectDiscoveryInfoView(OIDCOnlyMixin, ServerMetadataViewMixin, View):
    """The provider's configuration (Discovery 1.0 section 4)."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> JsonResponse:
        issuer = oauth2_settings.oidc_issuer(request)
        validator = oauth2_settings.OAUTH2_VALIDATOR_CLASS()
        userinfo = oauth2_settings.OIDC_USERINFO_ENDPOINT
        methods = oauth2_settings.OIDC_TOKEN_ENDPOINT_AUTH_METHODS_SUPPORTED
        common = self.common_metadata(request, issuer)
        common.pop(
            "token_endpoint_auth_signing_alg_values_supported", None
        )  # goes with the methods, which differ
        document = {
            **common,
            "userinfo_endpoint": userinfo or self._get_endpoint_url(request, "user-info"),
            "jwks_uri": self._get_endpoint_url(request, "jwks-info"),
            "response_types_supported": bcp_filter_response_types(
                oauth2_settings.OIDC_RESPONSE_TYPES_SUPPORTED
            ),
            "subject_types_supported": self._subject_types(),
            "id_token_signing_alg_values_supported": signing_keys.signing_algorithms(),
            **token_endpoint_authentication(methods),
            "claim_types_supported": ["normal"],
            "claims_supported": validator.get_discovery_claims(request),
            "claims_parameter_supported": True,
            "request_parameter_supported": False,
            "request_uri_parameter_supported": False,
            "prompt_values_supported": supported_prompts(),
            **self._optional(request),
        }
        response = JsonResponse(document)
        response["Access-Control-Allow-Origin"] = "*"
        return response

    def _subject_types(self) -> list[str]:
        """Return what the site has set, pairwise only with the salt that it takes."""
        has_salt = bool(oauth2_settings.OIDC_PAIRWISE_SUBJECT_SALT)
        supported = oauth2_settings.OIDC_SUBJECT_TYPES_SUPPORTED
        return [subject_type for subject_type in supported if subject_type != "pairwise" or has_salt]

    def _optional(self, request: HttpRequest) -> dict[str, Any]:
        """Return what only some sites have: classes of logins, logout (RP-Initiated Logout 1.0 section 2.1)."""
        entries: dict[str, Any] = {}
        if oauth2_settings.OIDC_ACR_VALUES_SUPPORTED:
            entries["acr_values_supported"] = list(oauth2_settings.OIDC_ACR_VALUES_SUPPORTED)
        if oauth2_settings.OIDC_RP_INITIATED_LOGOUT_ENABLED:
            entries["end_session_endpoint"] = self._get_endpoint_url(request, "rp-initiated-logout")
        return entries


@login_exempt
class JwksInfoView(OIDCOnlyMixin, View):
    """The public keys that ID tokens are verified with: those that sign, that will, that did (RFC 7517 section 5)."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> JsonResponse:
        response = JsonResponse({"keys": signing_keys.published_keys()})
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


@method_decorator(
    csrf_exempt, name="dispatch"
)  # clients may post here; what the user decides is protected below
@method_decorator(xframe_options_deny, name="dispatch")
@method_decorator(never_cache, name="dispatch")
@login_exempt
class RPInitiatedLogoutView(OIDCLogoutOnlyMixin, FormView):
    """The logout endpoint (RP-Initiated Logout 1.0 section 2): asks the user where it must, ends session and tokens.

    Asked again, with nobody logged in, it sends the user on as before.
    """

    http_method_names = ["get", "post", "options"]
    template_name = "oauth2_provider/logout_confirm.html"
    form_class = ConfirmLogoutForm
    token_deletion_client_types: Collection[str] | None = None
    """Tokens go only of applications of these client types; None: of all."""
    token_deletion_grant_types: Collection[str] | None = None
    """Tokens go only of applications of these grant types; None: of all."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        self.hint: Hint | None = None
        self.oidc_data: dict[str, Any] = {}
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        asked = request.POST if request.method == "POST" else request.GET
        self.oidc_data = {name: asked.get(name) for name in ConfirmLogoutForm.base_fields if name != "allow"}
        try:
            application, token_user = self.validate_logout_request(**self._validated(self.oidc_data))
        except OIDCError as error:
            return self.error_response(error)
        if self.must_prompt(token_user):
            return self.render_to_response(self.get_context_data(application=application))
        return self.do_logout(
            application, self.oidc_data["post_logout_redirect_uri"], self.oidc_data["state"], token_user
        )

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Take the request of a client, or the decision of the user, which comes with a CSRF token."""
        if "csrfmiddlewaretoken" not in request.POST:
            return self.get(request, *args, **kwargs)
        decide = super().post
        return csrf_protect(lambda request: decide(request, *args, **kwargs))(request)

    def get_initial(self) -> dict[str, Any]:
        return dict(self.oidc_data)

    def get_form_kwargs(self) -> dict[str, Any]:
        kwargs = {**super().get_form_kwargs(), "request": self.request}
        if self.oidc_data:  # the question, not the answer
            kwargs.pop("data", None)
            kwargs.pop("files", None)
        return kwargs

    def form_valid(self, form: ConfirmLogoutForm) -> HttpResponse:
        asked = form.cleaned_data
        try:
            application, token_user = self.validate_logout_request(**self._validated(asked))
            if not asked.get("allow"):
                raise LogoutDenied
        except OIDCError as error:
            return self.error_response(error)
        return self.do_logout(application, asked["post_logout_redirect_uri"], asked["state"], token_user)

    def validate_logout_request(
        self, id_token_hint: str | None, client_id: str | None, post_logout_redirect_uri: str | None
    ) -> tuple[Any, Any]:
        """Return the client that asks, and the user whom its ID token is about; None where it does not say.

        Raises OIDCError (section 4).
        """
        self.hint = self.validate_logout_request_user(id_token_hint, client_id)
        application = self.get_request_application(self.hint, client_id)
        self.validate_post_logout_redirect_uri(application, post_logout_redirect_uri)
        return application, self._user_of_hint()

    def validate_logout_request_user(self, id_token_hint: str | None, client_id: str | None) -> Hint | None:
        """Return what the ID token says; None without one. Raises InvalidIDTokenError, ClientIdMissmatch."""
        if not id_token_hint:
            return None
        validator = oauth2_settings.OAUTH2_VALIDATOR_CLASS()
        validator.django_request = self.request
        hint = validator.find_hint(id_token_hint)
        accepts_expired = oauth2_settings.OIDC_RP_INITIATED_LOGOUT_ACCEPT_EXPIRED_TOKENS
        if hint is None or (hint.is_expired() and not accepts_expired):
            raise InvalidIDTokenError
        if client_id and client_id != hint.application.client_id:
            raise ClientIdMissmatch
        return hint

    def get_request_application(self, id_token: Hint | None, client_id: str | None) -> Any:
        """Return the client that asks; None where nobody says. Raises InvalidOIDCClientError for an unknown one."""
        if id_token is not None:
            return id_token.application
        if not client_id:
            return None
        applications = get_application_model()._default_manager
        application = applications.filter(client_id=client_id).first() if client_id.isprintable() else None
        if application is None:
            raise InvalidOIDCClientError
        return application

    def validate_post_logout_redirect_uri(
        self, application: Any, post_logout_redirect_uri: str | None
    ) -> None:
        """Refuse a URI that the client has not registered (section 3). Raises InvalidOIDCRedirectURIError.

        Under OIDC_RP_INITIATED_LOGOUT_STRICT_REDIRECT_URIS http is for confidential clients only (section 2).
        """
        if not post_logout_redirect_uri:
            return
        if application is None:
            raise InvalidOIDCClientError
        if not application.post_logout_redirect_uri_allowed(post_logout_redirect_uri):
            raise InvalidOIDCRedirectURIError
        scheme = urlsplit(post_logout_redirect_uri).scheme
        is_strict = oauth2_settings.OIDC_RP_INITIATED_LOGOUT_STRICT_REDIRECT_URIS
        is_public = application.client_type == application.CLIENT_PUBLIC
        if scheme not in application.get_allowed_schemes() or (is_strict and is_public and scheme == "http"):
            raise InvalidOIDCRedirectURIError("The scheme of the post logout redirect URI is not allowed.")

    def must_prompt(self, token_user: Any) -> bool:
        """Tell whether the user has to be asked (section 2): MUST, but for the ID token of who is logged in.

        A client's POST from another site comes without the cookie of the session, and is asked about as well.
        """
        user: Any = self.request.user
        if user.is_anonymous:
            return self.hint is None or self.request.method == "POST"
        is_own = token_user is not None and token_user.pk == user.pk
        return bool(oauth2_settings.OIDC_RP_INITIATED_LOGOUT_ALWAYS_PROMPT) or not is_own

    def do_logout(
        self,
        application: Any = None,
        post_logout_redirect_uri: str | None = None,
        state: str | None = None,
        token_user: Any = None,
    ) -> HttpResponse:
        """End the session and, under OIDC_RP_INITIATED_LOGOUT_DELETE_TOKENS, the tokens; send the user on.

        With nobody logged in, only what the client itself was given ends: its ID token proves no more.
        """
        user: Any = self.request.user
        if oauth2_settings.OIDC_RP_INITIATED_LOGOUT_DELETE_TOKENS:
            if user.is_authenticated:
                end_access(
                    user,
                    client_types=self.token_deletion_client_types,
                    grant_types=self.token_deletion_grant_types,
                )
            elif token_user is not None:
                end_access_of_client(token_user, application)
        logout(self.request)
        if not post_logout_redirect_uri:
            return HttpResponseRedirect(resolve_url(settings.LOGOUT_REDIRECT_URL or "/"))
        uri = with_parameter(post_logout_redirect_uri, "state", state) if state else post_logout_redirect_uri
        return OAuth2ResponseRedirect(uri, application.get_allowed_schemes())

    def error_response(self, error: OIDCError) -> HttpResponse:
        """Return the page that says what is wrong with the request, or that the user stays logged in."""
        context = {"error": error, "is_denied": isinstance(error, LogoutDenied)}
        return self.render_to_response(context, status=error.status_code)

    def _validated(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {name: asked[name] for name in ("id_token_hint", "client_id", "post_logout_redirect_uri")}

    def _user_of_hint(self) -> Any:
        """Return the user of the ID token: of its row or, where that is gone, who is logged in if it is them."""
        if self.hint is None:
            return None
        if self.hint.row is not None:
            return self.hint.row.user
        user: Any = self.request.user
        return user if user.is_authenticated and self.hint.names(user) else None


def __getattr__(name: str) -> Any:
    """Return the active application model under its usual name, looked up when asked for."""
    if name == "Application":
        return get_application_model()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
