"""What the user does before consenting: log in, choose an account, register (OpenID Connect Core 1.0 section 3.1.2.1).

Each step leads away from the authorization endpoint and back to the same URL, which then says, signed, that the step
was asked for. Whether a login came of it, the session says.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth import logout
from django.contrib.auth.views import redirect_to_login
from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render, resolve_url
from oauthlib.oauth2.rfc6749.errors import LoginRequired

from ..exceptions import OAuthToolkitError
from ..flows import authentication
from ..oauth2_validators.openid_requests import maximum_age
from ..settings import oauth2_settings

ASKED = "asked"
SALT = "oauth2_provider.views.prompts.asked"
STEP_SECONDS = 3600
"""How long a user may take for a step."""
CLOCK_SKEW_SECONDS = 5
"""How far the clocks of a site's servers may be apart."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the user has been asked for: to log in (at `login`, since the epoch), to stay `account`, to register."""

    login: float | None = None
    account: str | None = None
    registration: bool = False


def asked_in(request: HttpRequest) -> Asked:
    """Return what the URL says, itself and not what it stands for (RFC 9126); nothing, if nobody signed that."""
    signed = QueryDict(request.META.get("QUERY_STRING", "")).get(ASKED, "")
    try:
        return Asked(**signing.loads(signed, salt=SALT, max_age=STEP_SECONDS))
    except signing.BadSignature:
        return Asked()


def url_once_asked(request: HttpRequest, asked: Asked) -> str:
    """Return the path and query of `request`, which says then that the user was `asked`."""
    parameters = QueryDict(request.META.get("QUERY_STRING", ""), mutable=True)
    parameters[ASKED] = signing.dumps(asdict(asked), salt=SALT, compress=True)
    return f"{request.path}?{parameters.urlencode()}"


class PromptsMixin:
    """The steps of an authorization view."""

    request: HttpRequest

    def handle_no_permission(self) -> Any:
        """Have the user log in or register; under prompt=none tell the client that a login is needed."""
        prompts = self._prompts()
        if "none" in prompts:
            return self._refuse_silently()
        if self._wants_registration(prompts):
            return self.handle_prompt_create()
        return self.handle_prompt_login()

    def handle_prompt_login(self) -> HttpResponse:
        """Have the user log in, again if need be, then come back."""
        asked = replace(asked_in(self.request), login=time.time())
        return self._redirect_to_login(url_once_asked(self.request, asked))

    def handle_prompt_create(self) -> HttpResponse:
        """Have the user make an account, then come back (Initiating User Registration 1.0)."""
        asked = replace(asked_in(self.request), registration=True, login=time.time())
        return redirect_to_login(
            url_once_asked(self.request, asked),
            resolve_url(oauth2_settings.OIDC_RP_INITIATED_REGISTRATION_URL),
            self.get_redirect_field_name(),  # type: ignore[attr-defined]
        )

    def handle_prompt_select_account(self) -> HttpResponse:
        """Ask the user whether to go on with this account or with another."""
        return render(self.request, "oauth2_provider/select_account.html")

    def handle_account_choice(self) -> HttpResponse:
        """Go on as the user has chosen: with another account only after a logout, so that the login page shows."""
        asked = asked_in(self.request)
        if self.request.POST.get("account") == "this":
            user = str(self.request.user.pk)
            return HttpResponseRedirect(url_once_asked(self.request, replace(asked, account=user)))
        logout(self.request)
        return self._redirect_to_login(url_once_asked(self.request, replace(asked, login=time.time())))

    def find_step(self, oauth_request: Any) -> HttpResponse | None:
        """Return the step that a valid request still needs; None: none. Under prompt=none there is none.

        Raises login_required where the user came back from the login page without a login.
        """
        prompts, asked = self._prompts(), asked_in(self.request)
        if "none" in prompts:
            return None
        if self._wants_registration(prompts):
            return self.handle_prompt_create()
        if not self._has_logged_in_since(asked):
            if "login" in prompts or self._is_login_too_old(oauth_request):
                return self.log_in_once(LoginRequired(request=oauth_request), oauth_request.response_mode)
            user = str(self.request.user.pk)
            if "select_account" in prompts and asked.account != user:
                return self.handle_prompt_select_account()
        return None

    def log_in_once(self, error: LoginRequired, response_mode: str | None) -> HttpResponse:
        """Have the user log in. Raises `error` for the client where that was asked for already."""
        if "none" in self._prompts() or asked_in(self.request).login is not None:
            raise OAuthToolkitError(error=error, response_mode=response_mode)
        return self.handle_prompt_login()

    def _refuse_silently(self) -> HttpResponse:
        application = None
        try:
            _, credentials = self.validate_authorization_request(self.request)  # type: ignore[attr-defined]
            oauth_request = credentials["request"]
            application = oauth_request.client
            raise OAuthToolkitError(
                LoginRequired(request=oauth_request), response_mode=oauth_request.response_mode
            )
        except OAuthToolkitError as error:
            return self.error_response(error, application)  # type: ignore[attr-defined]

    def _redirect_to_login(self, url: str) -> HttpResponse:
        login_url = resolve_url(self.get_login_url())  # type: ignore[attr-defined]
        hint = self.request.GET.get("login_hint")
        if hint:
            separator = "&" if "?" in login_url else "?"
            login_url = f"{login_url}{separator}{urlencode({'login_hint': hint})}"
        return redirect_to_login(url, login_url, self.get_redirect_field_name())  # type: ignore[attr-defined]

    def _prompts(self) -> list[str]:
        return self.request.GET.get("prompt", "").split()

    def _wants_registration(self, prompts: list[str]) -> bool:
        is_enabled = oauth2_settings.OIDC_RP_INITIATED_REGISTRATION_ENABLED
        return "create" in prompts and bool(is_enabled) and not asked_in(self.request).registration

    def _has_logged_in_since(self, asked: Asked) -> bool:
        logged_in = self._login().auth_time
        if asked.login is None or logged_in is None:
            return False
        return logged_in >= asked.login - CLOCK_SKEW_SECONDS

    def _is_login_too_old(self, oauth_request: Any) -> bool:
        max_age = maximum_age(oauth_request)
        return max_age is not None and self._login().is_older_than(max_age)

    def _login(self) -> authentication.Authentication:
        return authentication.from_session(getattr(self.request, "session", {}))
