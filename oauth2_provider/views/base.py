"""The endpoints of RFC 6749 and RFC 7009: authorize, token, revoke."""

from __future__ import annotations

import json
import logging
from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_deny
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.generic import FormView, View
from oauthlib.oauth2 import InvalidRequestFatalError
from oauthlib.oauth2.rfc6749.errors import ConsentRequired, LoginRequired

from ..bcp import bcp_compliant
from ..compat import called_by_clients, login_exempt
from ..exceptions import FatalClientError, OAuthToolkitError
from ..flows.consent import has_granted
from ..forms import AllowForm
from ..http import OAuth2ResponseRedirect
from ..models import get_access_token_model, get_application_model, token_checksum
from ..models.lookup import find
from ..scopes import get_scopes_backend
from ..settings import oauth2_settings
from ..signals import app_authorized
from .languages import LanguageMixin, PageInItsLanguage
from .mixins import (
    AuthorizationServerViewMixin,
    FormEncodedRequestMixin,
    OAuthLibMixin,
    ThrottledEndpointMixin,
    find_issuer,
)
from .par import PushedRequestMixin
from .prompts import PromptsMixin
from .responses import FORM_POST, answer_of, as_get, carry_over, destination, posted_by_form, with_parameter

logger = logging.getLogger("oauth2_provider")

RFC3339 = "%Y-%m-%dT%H:%M:%SZ"
CONSENT_SALT = "oauth2_provider.views.base.consent"
CONSENT_SECONDS = 3600
"""How long a consent page may stay open."""
SIGNED = (
    "client_id",
    "redirect_uri",
    "redirect_uri_is_default",
    "response_type",
    "state",
    "code_challenge",
    "code_challenge_method",
    "nonce",
    "claims",
    "resource",
    "response_mode",
    "prompt",
)

DECISIONS = {"csrfmiddlewaretoken", "consent", "allow", "account"}
"""What this server's own pages post, and no client."""


@login_exempt
@method_decorator(xframe_options_deny, name="dispatch")
@method_decorator(never_cache, name="dispatch")
class BaseAuthorizationView(PushedRequestMixin, LanguageMixin, LoginRequiredMixin, OAuthLibMixin, View):
    """What the authorization endpoint's views share: the redirect, and errors on the way there."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        self.oauth2_data: dict[str, Any] = {}
        return super().dispatch(request, *args, **kwargs)

    def error_response(
        self, error: OAuthToolkitError, application: Any = None, **kwargs: Any
    ) -> HttpResponse:
        """Redirect the error to the client, or show it where it must not be (RFC 6749 section 4.1.2.1)."""
        is_redirected, context = super().error_response(error, **kwargs)
        if is_redirected:
            uri = error.oauthlib_error.in_uri(error.oauthlib_error.redirect_uri)
            return self.respond(uri, application, error.response_mode)
        return self.render_to_response(context, status=error.oauthlib_error.status_code)  # type: ignore[attr-defined]

    def redirect(self, redirect_to: str, application: Any) -> OAuth2ResponseRedirect:
        """Send the user agent to the client, with `iss` where the site has it (RFC 9207 section 2)."""
        self.is_answered = True
        if application is None:
            allowed_schemes = oauth2_settings.ALLOWED_REDIRECT_URI_SCHEMES
        else:
            allowed_schemes = application.get_allowed_schemes()
        issuer = find_issuer(self.request) if bcp_compliant("AUTHZ_RESPONSE_ISS") else None
        if issuer is not None:
            redirect_to = with_parameter(redirect_to, "iss", issuer)
        return OAuth2ResponseRedirect(redirect_to, allowed_schemes)

    def respond(self, redirect_to: str, application: Any, response_mode: str | None) -> HttpResponse:
        """Send the response to the client as it wants it: by redirect, or posted by a form."""
        redirect = self.redirect(redirect_to, application)
        return posted_by_form(self.request, redirect) if response_mode == FORM_POST else redirect


@method_decorator(
    csrf_exempt, name="dispatch"
)  # clients may post requests; what the user decides is protected
class AuthorizationView(PromptsMixin, BaseAuthorizationView, FormView):
    """The authorization endpoint (RFC 6749 section 3.1): asks the user, and answers the client.

    What the user is asked is signed into the form; the answer is about that, whatever else is posted.
    """

    template_name = "oauth2_provider/authorize.html"
    form_class = AllowForm
    response_class = PageInItsLanguage
    skip_authorization_completely = False

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if request.method != "POST":
            return super().dispatch(request, *args, **kwargs)
        if not DECISIONS & request.POST.keys():
            return as_get(request)
        return csrf_protect(super().dispatch)(request, *args, **kwargs)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return self._answer(request)
        except OAuthToolkitError as error:
            return self.error_response(error, self._application_of(request.GET.get("client_id")))

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if "account" in request.POST:
            return self.handle_account_choice()
        return super().post(request, *args, **kwargs)

    def _answer(self, request: HttpRequest) -> HttpResponse:
        """Return the next page, or the response to the client. Raises OAuthToolkitError."""
        try:
            scopes, credentials = self.validate_authorization_request(request)
        except OAuthToolkitError as error:
            if error.oauthlib_error.error != LoginRequired.error:
                raise
            return self.log_in_once(error.oauthlib_error, error.response_mode)
        oauth_request = carry_over(credentials)
        step = self.find_step(oauth_request)
        if step is not None:
            return step
        prompts = request.GET.get("prompt", "").split()
        application = oauth_request.client
        claim_names = self._claims_beyond_scopes(oauth_request)
        is_granted = "consent" not in prompts and self._needs_no_consent(oauth_request, scopes, claim_names)
        if is_granted or ("none" in prompts and "openid" in scopes and oauth2_settings.OIDC_ENABLED):
            # under prompt=none oauthlib has asked validate_silent_authorization
            return self._respond(application, " ".join(scopes), credentials, allow=True)
        if "none" in prompts:
            raise OAuthToolkitError(
                ConsentRequired(request=oauth_request), response_mode=oauth_request.response_mode
            )
        return self._ask(application, scopes, credentials, claim_names)

    def get_initial(self) -> dict[str, Any]:
        scopes = self.oauth2_data.get("scope", self.oauth2_data.get("scopes", []))
        initial = {name: self.oauth2_data.get(name) for name in SIGNED}
        initial["scope"] = scopes if isinstance(scopes, str) else " ".join(scopes)
        initial["claims"] = json.dumps(initial["claims"]) if initial["claims"] else None
        initial["resource"] = " ".join(self.oauth2_data.get("resource") or [])
        initial["consent"] = self.oauth2_data.get("consent")
        return initial

    def form_valid(self, form: AllowForm) -> HttpResponse:
        signed = form.cleaned_data["consent"]
        try:
            consent = self._signed_consent(signed) if signed else self._validated_consent(self.request)
        except OAuthToolkitError as error:
            return self.error_response(error, self._application_of(form.cleaned_data["client_id"]))
        credentials = consent["credentials"]
        application = self._application_of(credentials["client_id"])
        return self._respond(
            application, consent["scope"], credentials, allow=bool(form.cleaned_data.get("allow"))
        )

    def form_invalid(self, form: AllowForm) -> HttpResponse:
        error = InvalidRequestFatalError(description="The consent form is incomplete.")
        return self.error_response(FatalClientError(error=error))

    def _needs_no_consent(self, oauth_request: Any, scopes: list[str], claim_names: list[str]) -> bool:
        """Tell whether the application is trusted, or the user has a live token that grants all of this."""
        application = oauth_request.client
        if application.skip_authorization or self.skip_authorization_completely:
            return True
        if self.request.GET.get("approval_prompt", oauth2_settings.REQUEST_APPROVAL_PROMPT) != "auto":
            return False
        return has_granted(
            self.request.user,
            application,
            scopes=scopes,
            resource=oauth_request.resource or [],
            claim_names=claim_names,
        )

    def _claims_beyond_scopes(self, oauth_request: Any) -> list[str]:
        """Return the claims that the client names and the scopes do not cover; the user is asked about them too."""
        validator = self.get_validator_class()()
        validator.django_request = self.request
        return validator.get_claims_beyond_scopes(oauth_request)

    def _ask(
        self, application: Any, scopes: list[str], credentials: dict[str, Any], claim_names: list[str]
    ) -> HttpResponse:
        descriptions = get_scopes_backend().get_all_scopes()
        payload = {
            "user": str(self.request.user.pk),
            "scope": " ".join(scopes),
            "credentials": {name: credentials.get(name) for name in SIGNED if credentials.get(name)},
        }
        self.oauth2_data = {
            **{name: credentials.get(name) for name in SIGNED},
            "scopes": scopes,
            "scopes_descriptions": [descriptions.get(scope, scope) for scope in scopes],
            "claim_names": [name.replace("_", " ") for name in claim_names],
            "application": application,
            "redirect_to": destination(credentials.get("redirect_uri")),
            "consent": signing.dumps(payload, salt=CONSENT_SALT, compress=True),
        }
        form = self.get_form(self.get_form_class())
        return self.render_to_response(self.get_context_data(form=form, **self.oauth2_data))

    def _respond(
        self, application: Any, scope: str, credentials: dict[str, Any], *, allow: bool
    ) -> HttpResponse:
        response_mode = credentials.get("response_mode")
        try:
            uri, _headers, _body, _status = self.create_authorization_response(
                request=self.request, scopes=scope, credentials=credentials, allow=allow
            )
        except OAuthToolkitError as error:
            return self.error_response(error, application)
        return self.respond(uri, application, response_mode)

    def _signed_consent(self, signed: str) -> dict[str, Any]:
        """Return what the user was asked. Raises FatalClientError for anything else."""
        try:
            consent = signing.loads(signed, salt=CONSENT_SALT, max_age=CONSENT_SECONDS)
        except signing.BadSignature as exc:
            error = InvalidRequestFatalError(description="The consent form is too old or was changed.")
            raise FatalClientError(error=error) from exc
        if consent["user"] != str(self.request.user.pk):
            error = InvalidRequestFatalError(description="The consent form was made for another user.")
            raise FatalClientError(error=error)
        signed_values = consent[
            "credentials"
        ]  # what is not in there was not asked, whatever is posted beside it
        consent["credentials"] = {name: signed_values.get(name) for name in SIGNED}
        consent["credentials"]["resource"] = signed_values.get("resource") or []
        return consent

    def _validated_consent(self, request: HttpRequest) -> dict[str, Any]:
        """Return what is posted by a template that leaves the signed field out, validated like a new request."""
        scopes, credentials = self.validate_authorization_request(request)
        carry_over(credentials)
        return {"scope": " ".join(scopes), "credentials": credentials}

    def _application_of(self, client_id: str | None) -> Any:
        if not client_id or not client_id.isprintable():
            return None
        return find(get_application_model()._default_manager, client_id=client_id)


@called_by_clients
class TokenView(FormEncodedRequestMixin, ThrottledEndpointMixin, AuthorizationServerViewMixin, View):
    """The token endpoint (RFC 6749 section 3.2)."""

    throttle_scope = "token"
    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.POST.get("grant_type") == "urn:ietf:params:oauth:grant-type:device_code":
            return self.device_flow_token_response(request, *args, **kwargs)
        return self.authorization_flow_token_response(request, *args, **kwargs)

    def authorization_flow_token_response(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Answer every grant but the device grant; on success `app_authorized` is sent."""
        core = self.get_oauthlib_core()
        _url, headers, body, status = core.create_token_response(request)
        if status == 200:
            validator = getattr(core.server, "request_validator", None)
            token = getattr(validator, "access_token_instance", None) or _find_issued(body)
            app_authorized.send(sender=self, request=request, token=token)
        return answer_of(headers, body, status)

    def device_flow_token_response(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Answer a device access token request (RFC 8628 section 3.4)."""
        return self.authorization_flow_token_response(request, *args, **kwargs)


@called_by_clients
class RevokeTokenView(FormEncodedRequestMixin, ThrottledEndpointMixin, AuthorizationServerViewMixin, View):
    """The revocation endpoint (RFC 7009)."""

    throttle_scope = "revoke"
    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        _url, headers, body, status = self.create_revocation_response(request)
        return answer_of(headers, body, status)


def _find_issued(body: str) -> Any:
    """Return the access token of a response whose validator does not tell: one of the site's own."""
    checksum = token_checksum(json.loads(body)["access_token"])
    return get_access_token_model()._base_manager.filter(token_checksum=checksum).first()
