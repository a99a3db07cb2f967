"""Whom the throttles of the integrations count."""

from __future__ import annotations

from typing import Any


def client_key(access_token: Any) -> str | None:
    """Return what stands for the client of an access token, its own or another server's; None: not known."""
    application = getattr(access_token, "application", None)
    if application is not None:
        return str(application.client_id)
    client_id = (getattr(access_token, "introspected", None) or {}).get("client_id")
    return str(client_id) if client_id else None


def user_or_client_key(user: Any, access_token: Any) -> str | None:
    """Return what stands for the user of a request or, where it has none, for the client; None: neither is known."""
    if user is not None and user.is_authenticated:
        return f"user:{user.pk}"
    client = client_key(access_token)
    return None if client is None else f"client:{client}"
