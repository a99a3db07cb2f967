"""Clients: who they are, and that they are (RFC 6749 sections 2.2 and 2.3)."""

from __future__ import annotations

import base64
import binascii
from typing import Any
from urllib.parse import unquote_plus

from django.utils import timezone

from ..cimd import refresh_if_stale, resolve_cimd_application
from ..flows.client_secrets import find_presented_secret
from ..hashers import check_client_secret, costs_password_hash, hash_client_secret, needs_upgrade, waste_time
from ..models import get_application_model
from ..models.lookup import find
from .assertions import AssertionHooks
from .requests import kept


class ClientHooks(AssertionHooks):
    """Loads the client once, and authenticates it by HTTP Basic, by the request body or by an assertion."""

    def _load_application(self, client_id: str | None, request: Any) -> Any:
        """Return the client `client_id`, usable, kept as `request.client`; None where there is none."""
        loaded = kept(request, "client")
        if loaded is not None and loaded.client_id == client_id:
            return loaded
        application = self._find_client(client_id)
        if application is None or not application.is_usable(request):
            return None
        request.client = application
        return application

    def _find_client(self, client_id: str | None) -> Any:
        """Return the client `client_id`, as its metadata document has it now if the id is the URL of one."""
        application = _find_application(client_id)
        http_request = getattr(self, "django_request", None)
        if application is None:
            return resolve_cimd_application(client_id, http_request) if client_id else None
        application.is_fresh = refresh_if_stale(application, http_request)
        return application

    def _extract_basic_auth(self, request: Any) -> str | None:
        """Return what follows "Basic " in the Authorization header."""
        headers = request.headers
        value = headers.get("Authorization") or headers.get("HTTP_AUTHORIZATION") or ""
        scheme, _, credentials = value.partition(" ")
        return credentials.strip() if scheme.lower() == "basic" and credentials else None

    def _authenticate_basic_auth(self, request: Any) -> bool:
        """Authenticate by HTTP Basic; id and secret are form-encoded in it (RFC 6749 section 2.3.1)."""
        credentials = _decode_basic(self._extract_basic_auth(request))
        if credentials is None or request.client_id not in (None, credentials[0]):
            return False
        return self._authenticate(request, *credentials, method="client_secret_basic")

    def _authenticate_request_body(self, request: Any) -> bool:
        """Authenticate by client_id and client_secret in the body; never in the URI (RFC 6749 section 2.3.1)."""
        client_id, client_secret = request.client_id, request.client_secret
        in_uri = any(name == "client_secret" for name, _ in request.uri_query_params)
        if not client_id or not client_secret or in_uri:
            return False
        return self._authenticate(request, client_id, client_secret, method="client_secret_post")

    def _authenticate(self, request: Any, client_id: str, client_secret: str, *, method: str) -> bool:
        """Compare the secret; a failure costs one password hash, whether or not there is such a client.

        Further secrets are looked at when the application's own does not match; that, too, whoever the client is.
        A client that registered a token_endpoint_auth_method is held to it (RFC 7591 section 2).
        """
        application = self._load_application(client_id, request)
        stored = application.client_secret if application is not None else ""
        is_confidential = (
            application is not None
            and application.client_type == application.CLIENT_CONFIDENTIAL
            and application.token_endpoint_auth_method in ("", method)
        )
        if is_confidential and stored and self._check_secret(client_secret, stored):
            request.client_id = application.client_id
            _upgrade_hash(application, client_secret)
            return True
        further = find_presented_secret(client_id, client_secret) if client_id.isprintable() else None
        if is_confidential and further is not None:
            request.client_id = application.client_id
            further.mark_used(timezone.now())
            return True
        if not (is_confidential and costs_password_hash(stored)):
            waste_time(client_secret)
        request.client = None
        return False

    def _check_secret(self, provided_secret: str, stored_secret: str) -> bool:
        """Compare a presented secret with the stored one."""
        return check_client_secret(provided_secret, stored_secret)

    def client_authentication_required(self, request: Any, *args: Any, **kwargs: Any) -> bool:
        """Tell whether this client must authenticate: it is confidential, or it tries to (RFC 6749 section 6)."""
        if self._extract_basic_auth(request) or request.client_secret or self._has_assertion(request):
            return True
        application = self._load_application(request.client_id, request)
        if application is None:
            return True  # unknown clients fail as authentication does
        return bool(application.client_type == application.CLIENT_CONFIDENTIAL)

    def authenticate_client(self, request: Any, *args: Any, **kwargs: Any) -> bool:
        """Authenticate a confidential client, by one method (RFC 6749 section 2.3: not more than one)."""
        if self._has_assertion(request):
            if self._extract_basic_auth(request) or request.client_secret:
                return False
            return self._authenticate_assertion(request)
        if self._extract_basic_auth(request):
            if request.client_secret:
                return False
            return self._authenticate_basic_auth(request)
        return self._authenticate_request_body(request)

    def authenticate_client_id(self, client_id: str, request: Any, *args: Any, **kwargs: Any) -> bool:
        """Accept a public client by its id alone."""
        application = self._load_application(client_id, request)
        return application is not None and application.client_type == application.CLIENT_PUBLIC

    def validate_client_id(self, client_id: str, request: Any, *args: Any, **kwargs: Any) -> bool:
        """Tell whether there is such a client, and what is known of it is not stale.

        A user must not consent to what a client has withdrawn from its metadata document; its tokens are from before.
        """
        application = self._load_application(client_id, request)
        return application is not None and getattr(application, "is_fresh", True)


def _find_application(client_id: str | None) -> Any:
    if not client_id or not client_id.isprintable():
        return None
    return find(get_application_model()._default_manager, client_id=client_id)


def _decode_basic(credentials: str | None) -> tuple[str, str] | None:
    if credentials is None:
        return None
    try:
        decoded = base64.b64decode(credentials, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    client_id, separator, client_secret = decoded.partition(":")
    if not separator:
        return None
    return unquote_plus(client_id), unquote_plus(client_secret)


def _upgrade_hash(application: Any, client_secret: str) -> None:
    if needs_upgrade(client_secret, application.client_secret):
        application.client_secret = hash_client_secret(client_secret)
        type(application)._base_manager.filter(pk=application.pk).update(
            client_secret=application.client_secret
        )
