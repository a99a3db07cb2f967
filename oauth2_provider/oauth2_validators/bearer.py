"""The protected resource's hook: bearer tokens (RFC 6750, RFC 8707), local or introspected (RFC 7662)."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model

from ..bcp import bcp_compliant
from ..flows.introspection import is_for_resources
from ..flows.remote_introspection import find_remote_access_token
from ..models import get_access_token_model, token_checksum
from ..models.lookup import find
from ..settings import oauth2_settings


class BearerHooks:
    """Checks the token that a request for a protected resource carries."""

    def validate_bearer_token(self, token: str, scopes: list[str], request: Any) -> bool:
        """Tell whether `token` is live, grants all of `scopes` and is meant for this resource.

        The oauthlib request then has user, client, scopes and access_token; else oauth2_error says why not.
        """
        misuse = _misuse(request)
        if misuse is not None:
            request.oauth2_error = {"error": "invalid_request", "error_description": misuse}
            return False
        if not token:
            return False
        access_token = self._load_access_token(token)
        if access_token is None and oauth2_settings.RESOURCE_SERVER_INTROSPECTION_URL:
            access_token = self._get_token_from_authentication_server(
                token,
                oauth2_settings.RESOURCE_SERVER_INTROSPECTION_URL,
                oauth2_settings.RESOURCE_SERVER_AUTH_TOKEN,
                oauth2_settings.RESOURCE_SERVER_INTROSPECTION_CREDENTIALS,
            )
            if access_token is not None and not is_for_resources(access_token):
                access_token = None
        if access_token is None or not access_token.is_valid(scopes) or not self._is_for_here(access_token):
            self._set_oauth2_error_on_request(request, access_token, scopes)
            return False
        request.client, request.user = access_token.application, access_token.user
        request.scopes, request.access_token = list(access_token.scopes), access_token
        return True

    def _load_access_token(self, token: str) -> Any:
        """Return the access token with its user and application; None where there is none, or no active user.

        Loaded once a request, however many of middleware, authentication class and view ask for it.
        """
        loaded, checksum = _loaded_tokens(getattr(self, "django_request", None)), token_checksum(token)
        if checksum in loaded:
            return loaded[checksum]
        tokens = get_access_token_model()._base_manager
        access_token = find(tokens, related=("application", "user"), token_checksum=checksum)
        if access_token is None or not is_for_resources(access_token):
            return None
        loaded[checksum] = access_token
        return access_token

    def _get_token_from_authentication_server(
        self,
        token: str,
        introspection_url: str,
        introspection_token: str | None,
        introspection_credentials: tuple[str, str] | None,
    ) -> Any:
        """Return the token as the authorization server describes it, an unsaved AccessToken; None: not active.

        One that cannot be asked vouches for nothing: None, and a line in the log.
        """
        return find_remote_access_token(
            token,
            introspection_url,
            bearer=introspection_token,
            credentials=introspection_credentials,
            get_user=self.get_or_create_user_from_content,
        )

    def get_or_create_user_from_content(self, content: dict[str, Any]) -> Any:
        """Return the local user of an introspection response: by its `username`, created if need be."""
        user_model = get_user_model()
        if content.get("username") is None:
            return None
        name = {user_model.USERNAME_FIELD: content["username"]}
        user, _ = user_model._default_manager.get_or_create(**name)
        return user

    def _is_for_here(self, access_token: Any) -> bool:
        http_request = getattr(self, "django_request", None)
        if http_request is None or not access_token.resource:
            return True
        return bool(access_token.allows_audience(http_request.build_absolute_uri(http_request.path)))

    def _set_oauth2_error_on_request(self, request: Any, access_token: Any, scopes: list[str]) -> None:
        """Say what is wrong with the token (RFC 6750 section 3.1)."""
        if access_token is None:
            error = {"error": "invalid_token", "error_description": "The access token is invalid."}
        elif access_token.is_expired():
            error = {"error": "invalid_token", "error_description": "The access token has expired."}
        elif not access_token.allow_scopes(scopes):
            error = {
                "error": "insufficient_scope",
                "error_description": "The access token is valid but does not have enough scope.",
            }
        else:
            error = {
                "error": "invalid_token",
                "error_description": "The access token is not meant for this resource.",
            }
        request.oauth2_error = error


def _loaded_tokens(http_request: Any) -> dict[str, Any]:
    """Return what the Django request keeps of the tokens it was found to carry, by checksum."""
    if http_request is None:
        return {}
    bare_request = getattr(http_request, "_request", http_request)  # REST framework wraps it
    return vars(bare_request).setdefault("_oauth2_access_tokens", {})


def _misuse(request: Any) -> str | None:
    """Return what is wrong with how the token was sent (RFC 6750 section 2); None: nothing."""
    in_query = sum(name == "access_token" for name, _ in request.uri_query_params or [])
    in_body = sum(name == "access_token" for name, _ in request.decoded_body or [])
    header = request.headers.get("Authorization") or ""
    in_header = header.partition(" ")[0].lower() == "bearer"
    if in_query + in_body + in_header > 1:
        return "The access token must be sent once, by one method."
    if in_query and bcp_compliant("ACCESS_TOKEN_TRANSPORT"):
        return "The access token must not be sent in the URI."
    return None
