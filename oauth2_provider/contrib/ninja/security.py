"""Ninja's authentication by bearer token (RFC 6750)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError
from ninja.operation import PathView
from ninja.security import HttpBearer

from ...oauth2_backends import get_oauthlib_core
from ...settings import oauth2_settings
from ...utils import parse_bearer_token
from ...www_authenticate import bearer_challenge, challenge_status

MESSAGES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden"}


class HttpOAuth2(HttpBearer):
    """Lets an operation be called with a bearer token in the header that grants all of `scopes`.

    `request.auth` is then the access token, `request.resource_owner` its user, and `request.user` too, if it has one.
    A refusal has the status and the challenge of RFC 6750 section 3; `advertise_metadata` has it say where the
    resource's metadata is (RFC 9728 section 5.1): at `resource_metadata_url`, by default the provider's own document.
    """

    def __init__(
        self,
        scopes: Iterable[str] | None = None,
        *,
        advertise_metadata: bool = False,
        resource_metadata_url: str | None = None,
    ) -> None:
        super().__init__()
        self.scopes = list(scopes or ())
        self.advertise_metadata = advertise_metadata
        self.resource_metadata_url = resource_metadata_url

    def __call__(self, request: HttpRequest) -> Any:
        """Return the access token; None where there is no good one: Ninja asks the next authentication, if any."""
        request._oauth2_challenge = self._challenge(request, None)  # type: ignore[attr-defined]
        token = parse_bearer_token(request.headers.get("Authorization"))
        access_token = None if token is None else self.authenticate(request, token)
        if access_token is None:
            _find_and_prepare_api(request)
        return access_token

    def authenticate(self, request: HttpRequest, access_token: str) -> Any:
        """Return the access token of `request` as a row; None where it is no good: the challenge then says why."""
        valid, oauth_request = get_oauthlib_core().verify_request(request, scopes=self.scopes)
        if not valid:
            error = getattr(oauth_request, "oauth2_error", None)
            request._oauth2_challenge = self._challenge(request, error)  # type: ignore[attr-defined]
            return None
        request.resource_owner = oauth_request.user  # type: ignore[attr-defined]
        if oauth_request.user is not None:
            request.user = oauth_request.user
        return oauth_request.access_token

    def _challenge(self, request: HttpRequest, error: dict[str, Any] | None) -> tuple[int, str]:
        """Return status and challenge of a refusal."""
        metadata_url = None
        if self.advertise_metadata:
            metadata_url = self.resource_metadata_url or oauth2_settings.oauth2_resource_metadata_url(request)
        challenge = bearer_challenge(error, scopes=self.scopes, resource_metadata=metadata_url)
        return challenge_status(error), challenge


def add_challenges(api: NinjaAPI) -> None:
    """Have `api` send the challenge of HttpOAuth2 with its refusals, whatever handler they have otherwise.

    HttpOAuth2 does this by itself when it first refuses a request; call it where a test or a wrapper hides the
    operation from it. Calling it again changes nothing.
    """
    answer = api._lookup_exception_handler(AuthenticationError())
    if answer is not None and not isinstance(answer, _Challenging):
        api.add_exception_handler(AuthenticationError, _Challenging(answer))


@dataclass(frozen=True)
class _Challenging:
    """An exception handler that adds what HttpOAuth2 has to say to the response of another."""

    answer: Callable[[HttpRequest, Any], HttpResponse]

    def __call__(self, request: HttpRequest, exc: Any) -> HttpResponse:
        refusal = getattr(request, "_oauth2_challenge", None)
        if refusal is None:
            return self.answer(request, exc)
        status, challenge = refusal
        response = self.answer(request, AuthenticationError(status, MESSAGES[status]))
        response["WWW-Authenticate"] = challenge
        return response


def _find_and_prepare_api(request: HttpRequest) -> None:
    """Prepare the API that `request` is for: it is known by the operations that Ninja's view closes over."""
    match = getattr(request, "resolver_match", None)
    for cell in getattr(getattr(match, "func", None), "__closure__", None) or ():
        if isinstance(cell.cell_contents, PathView):
            add_challenges(cell.cell_contents.operations[0].api)
